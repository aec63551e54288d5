"""Where a table of results lies: a file or a folder of this machine, else a dataset repository of the Hub."""

from __future__ import annotations

from pathlib import Path

from ..errors import HubError, UserError
from ..hub import HubClient

TABLE_FILES = ("*.parquet", "*.csv", "README.md")


def table_location(spec: Path | str, client: HubClient | None = None) -> Path:
    """The file or folder that `spec` names; a Hub id (`ID` or `ID@REVISION`) is fetched, tables and card only.

    Raises:
        UserError: there is nothing of that name here, and no such dataset repository on the Hub.
        HubError: the Hub or the network is at fault.
    """
    path = Path(spec).expanduser()
    if path.exists():
        return path
    named_id = isinstance(spec, str) and spec.count("/") == 1 and not spec.startswith((".", "/", "~"))
    if not named_id or path.suffix in (".csv", ".parquet"):
        raise UserError(f"There is no table {spec}.", "Name a CSV or Parquet file, a folder of them, or a Hub id.")
    client = client or HubClient()
    try:
        return client.snapshot(client.resolve(str(spec), "dataset"), TABLE_FILES)
    except UserError as error:
        what = f'There is no table "{spec}" here, and on the Hub: {error.what}'
        raise UserError(what, "Name a CSV or Parquet file, a folder of them, or the Hub id of a data set.") from error
    except HubError as error:
        raise HubError(f'There is no table "{spec}" here, and on the Hub: {error.what}', error.hint) from error
