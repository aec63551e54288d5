"""The Space's page: the metric's widget."""

import evaluate
from evaluate.utils import launch_gradio_widget

launch_gradio_widget(evaluate.load("ndcg_at_k.py"))
