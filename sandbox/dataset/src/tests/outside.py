"""Reads a sealed Parquet file with pyarrow, given some of its keys on standard input:
{"file": path, "columns": [names], "keys": {id: hexadecimal}}. Prints the columns as JSON.
"""

import json
import sys

import pyarrow.parquet as parquet
import pyarrow.parquet.encryption as encryption


class GivenKeys(encryption.KmsClient):
    """Opens nothing but what was given."""

    def __init__(self, keys):
        super().__init__()
        self.keys = keys

    def wrap_key(self, key_bytes, master_key_identifier):
        raise RuntimeError("only reads")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return bytes.fromhex(self.keys[master_key_identifier])


asked = json.load(sys.stdin)
factory = encryption.CryptoFactory(lambda _: GivenKeys(asked["keys"]))
properties = factory.file_decryption_properties(encryption.KmsConnectionConfig())
table = parquet.ParquetFile(asked["file"], decryption_properties=properties)
columns = table.read(columns=asked["columns"]).to_pydict()
json.dump({name: [None if value is None else str(value) for value in values]
           for name, values in columns.items()}, sys.stdout)
