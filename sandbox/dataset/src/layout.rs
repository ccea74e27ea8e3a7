//! Names of files and the contexts their keys are bound to, in one place for writer and
//! reader.

use sekisho_vault::Context;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const SIGNATURE: &str = "manifest.sig";
pub(crate) const PROFILE: &str = "profile.toml";
pub(crate) const KEYS: &str = "keys.json";
pub(crate) const DICTIONARIES: &str = "dictionaries";
pub(crate) const MANIFEST_LABEL: &str = "sekisho.dataset.manifest.v1";

/// Largest sealed dictionary of a column, in bytes: writer and reader hold one whole.
pub(crate) const MAX_DICTIONARY_BYTES: u64 = 512 << 20;

pub(crate) fn bucket_file(table: &str, bucket: u32) -> String {
    format!("{table}/bucket-{bucket:04}.parquet")
}

pub(crate) fn dictionary_file(table: &str, column: &str) -> String {
    format!("{DICTIONARIES}/{table}.{column}.sealed")
}

/// Which version of which data set something belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dataset: String,
    pub(crate) version: String,
}

impl Place {
    pub(crate) fn table_key(&self, table: &str) -> Context {
        self.context("sekisho.dataset.table-key").text(table)
    }

    /// For the keys that whoever goes on with a version reads its persons back with.
    pub(crate) fn kept_key(&self, table: &str, part: &str) -> Context {
        self.context("sekisho.dataset.kept-key").text(table).text(part)
    }

    pub(crate) fn footer_key(&self, table: &str) -> Context {
        self.context("sekisho.dataset.footer-key").text(table)
    }

    pub(crate) fn column_key(&self, table: &str, column: &str) -> Context {
        self.context("sekisho.dataset.column-key").text(table).text(column)
    }

    pub(crate) fn dictionary(&self, table: &str, column: &str) -> Context {
        self.context("sekisho.dataset.dictionary").text(table).text(column)
    }

    /// AAD prefix of a Parquet file. It stands in the file for readers of others; ours brings
    /// the one of the place it looks in, so a file put in another's place does not open.
    pub(crate) fn file_aad(&self, table: &str, bucket: u32) -> Vec<u8> {
        let context = self.context("sekisho.dataset.parquet").text(table);
        context.number(u64::from(bucket)).encode().to_vec()
    }

    fn context(&self, purpose: &str) -> Context {
        Context::new(purpose).text(&self.dataset).text(&self.version)
    }
}

/// Which of the keys in `keys.json` opens a part of a file: key material of the Parquet key
/// tools (PKMT1), so that other readers find out what to ask for. `column` is none for the
/// footer. The key itself, wrapped or not, does not stand there.
pub(crate) fn key_material(table: &str, column: Option<&str>) -> Vec<u8> {
    let id = column.map_or_else(|| table.to_owned(), |column| format!("{table}.{column}"));
    let mut material = serde_json::Map::from_iter([
        ("keyMaterialType".to_owned(), "PKMT1".into()),
        ("internalStorage".to_owned(), true.into()),
        ("isFooterKey".to_owned(), column.is_none().into()),
        ("masterKeyID".to_owned(), id.into()),
        ("wrappedDEK".to_owned(), "keys.json".into()),
        ("doubleWrapping".to_owned(), false.into()),
    ]);
    if column.is_none() {
        for name in ["kmsInstanceID", "kmsInstanceURL"] {
            material.insert(name.to_owned(), "DEFAULT".into());
        }
    }
    serde_json::Value::Object(material).to_string().into_bytes()
}

/// `v` and a number without leading zeros, such as `v12`.
pub(crate) fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix('v').unwrap_or("");
    (1..=9).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}
