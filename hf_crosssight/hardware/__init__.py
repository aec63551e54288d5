"""What a model costs on a machine: devices, measuring, and predicting from structure alone.

`device`, `catalogue`, `device_file` and `local_machine` say what a device can do at most; `measure` runs a model and
measures it; `predict` says what a model would cost on a device that it never ran on. The room knows models as the
zoo's index tells them and nothing of rankers.
"""
