use std::fmt;
use std::path::{Path, PathBuf};

use http::Uri;
use sekisho_runner::{Control, Lowered};
use sekisho_vault::{Pkcs11Place, VaultPlace};

/// Everything wrong with a configuration, found in one go; one line for each.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl ConfigErrors {
    /// Stable code for scripts.
    pub const CODE: &'static str = "worker.config";
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// A worker's `config.toml`. Relative paths start at the file's own folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// `gateway`: where the gateway listens, such as `https://gateway.site:8443`.
    pub gateway: Uri,
    /// `ca`: certificate of the site's CA (PEM), the only one trusted.
    pub ca: PathBuf,
    /// `certificate`: the worker's certificate chain (PEM).
    pub certificate: PathBuf,
    /// `key`: the worker's private key (PEM, 0600).
    pub key: PathBuf,
    /// `ticket_key`: the gateway's public key that signs run tickets (hexadecimal or PEM).
    pub ticket_key: PathBuf,
    /// `ingest_key`: the public key that signs data set versions (hexadecimal or PEM).
    pub ingest_key: PathBuf,
    /// `datasets`: folder of sealed data set versions.
    pub datasets: PathBuf,
    /// `vault`: the key vault that seals the receiving key. A folder, or a table with a
    /// token's `library`, `token` (label), `pin` (file, 0600) and `records` (folder).
    pub vault: VaultPlace,
    /// `receiving_key`: the sealed private half of the key that data sets are sealed for.
    pub receiving_key: PathBuf,
    /// `reidentification_receiver`: the identified zone's public receiving key, which tokens
    /// for a regulator's inquiry are sealed for; without it no such order is carried out. It
    /// is never taken from the gateway.
    pub reidentification_receiver: Option<PathBuf>,
    /// `deployment`: the record of the machines that this zone's data lie on (CL-1, CL-2).
    pub deployment: PathBuf,
    /// `runner`: the `sekisho-runner` program; beside this program when left out.
    pub runner: PathBuf,
    /// `slots`: runs at a time, 1 to 16; 1 when left out.
    pub slots: u32,
    /// `lowered`: controls this host does without, of `network`, `files`, `system-calls`;
    /// none when left out. The record of each run names them.
    pub lowered: Lowered,
}

const MOST_SLOTS: i64 = 16;

impl Config {
    /// Reads a configuration, refusing unknown keys.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let one = |error: String| ConfigErrors(vec![format!("{}: {error}", path.display())]);
        let text = std::fs::read_to_string(path).map_err(|error| one(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| one(error.to_string()))?;
        Self::parse(&text, &folder)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, ConfigErrors> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| ConfigErrors(vec![error.to_string()]))?;
        let mut keys = Keys { table, folder, errors: Vec::new() };
        let config = Self {
            gateway: keys.gateway(),
            ca: keys.path("ca"),
            certificate: keys.path("certificate"),
            key: keys.path("key"),
            ticket_key: keys.path("ticket_key"),
            ingest_key: keys.path("ingest_key"),
            datasets: keys.path("datasets"),
            vault: keys.vault(),
            receiving_key: keys.path("receiving_key"),
            reidentification_receiver: keys.optional_path("reidentification_receiver"),
            deployment: keys.path("deployment"),
            runner: keys.runner(),
            slots: keys.slots(),
            lowered: keys.lowered(),
        };
        keys.finish().map(|()| config)
    }
}

/// Takes keys out of the table one by one and notes what is wrong.
struct Keys<'a> {
    table: toml::Table,
    folder: &'a Path,
    errors: Vec<String>,
}

impl Keys<'_> {
    fn text(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key) {
            Some(toml::Value::String(text)) if !text.is_empty() => Some(text),
            Some(_) => self.wrong(key, "wanted a text that is not empty"),
            None => self.wrong(key, "is missing"),
        }
    }

    fn path(&mut self, key: &str) -> PathBuf {
        let text = self.text(key).unwrap_or_default();
        self.folder.join(text)
    }

    fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        self.table.contains_key(key).then(|| self.path(key))
    }

    fn vault(&mut self) -> VaultPlace {
        let Some(toml::Value::Table(table)) = self.table.get("vault").cloned() else {
            return VaultPlace::Folder(self.path("vault"));
        };
        self.table.remove("vault");
        let mut inner = Keys { table, folder: self.folder, errors: Vec::new() };
        let place = Pkcs11Place {
            library: inner.path("library"),
            token: inner.text("token").unwrap_or_default(),
            pin: inner.path("pin"),
            records: inner.path("records"),
        };
        let errors = inner.finish().err().map(|errors| errors.0).unwrap_or_default();
        self.errors.extend(errors.iter().map(|error| format!("vault.{error}")));
        VaultPlace::Token(place)
    }

    fn runner(&mut self) -> PathBuf {
        if self.table.contains_key("runner") {
            return self.path("runner");
        }
        let own = std::env::current_exe().unwrap_or_default();
        own.with_file_name("sekisho-runner")
    }

    fn gateway(&mut self) -> Uri {
        let Some(text) = self.text("gateway") else {
            return Uri::default();
        };
        match text.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") => uri,
            _ => {
                self.wrong("gateway", "wanted a URL such as https://gateway.site:8443");
                Uri::default()
            }
        }
    }

    fn slots(&mut self) -> u32 {
        match self.table.remove("slots") {
            None => 1,
            Some(toml::Value::Integer(slots @ 1..=MOST_SLOTS)) => u32::try_from(slots).unwrap_or(1),
            Some(_) => {
                self.wrong("slots", "wanted a number from 1 to 16");
                1
            }
        }
    }

    fn lowered(&mut self) -> Lowered {
        let named = match self.table.remove("lowered") {
            None => return Lowered::default(),
            Some(toml::Value::Array(named)) => named,
            Some(_) => {
                self.wrong("lowered", "wanted a list of controls");
                return Lowered::default();
            }
        };
        let mut controls = Vec::new();
        for name in named {
            match name.as_str().and_then(Control::from_name) {
                Some(control) => controls.push(control),
                None => {
                    self.wrong("lowered", "wanted of network, files, system-calls");
                }
            }
        }
        Lowered::new(controls)
    }

    fn wrong(&mut self, key: &str, why: &str) -> Option<String> {
        self.errors.push(format!("{key}: {why}"));
        None
    }

    fn finish(mut self) -> Result<(), ConfigErrors> {
        let unknown = self.table.keys().map(|key| format!("{key}: unknown key"));
        self.errors.extend(unknown);
        if self.errors.is_empty() { Ok(()) } else { Err(ConfigErrors(self.errors)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        gateway = "https://localhost:8443"
        ca = "tls/ca.pem"
        certificate = "tls/worker.pem"
        key = "tls/worker.key"
        ticket_key = "ticket-verify.pub"
        ingest_key = "/elsewhere/ingest.pub"
        datasets = "../datasets"
        vault = "vault"
        receiving_key = "receiving.key.sealed"
        deployment = "deployment.toml"
    "#;

    fn parse(text: &str) -> Result<Config, ConfigErrors> {
        Config::parse(text, Path::new("/site/worker"))
    }

    #[test]
    fn paths_start_at_the_files_folder_and_the_rest_has_safe_defaults() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.ca, Path::new("/site/worker/tls/ca.pem"));
        assert_eq!(config.ingest_key, Path::new("/elsewhere/ingest.pub"));
        assert_eq!(config.slots, 1);
        assert!(config.lowered.is_empty());
        assert_eq!(config.reidentification_receiver, None);
        assert!(config.runner.ends_with("sekisho-runner"));
    }

    #[test]
    fn every_error_is_reported_at_once() {
        let text = r#"
            gateway = "http://localhost:8443"
            ca = 7
            slots = 0
            lowered = ["network", "everything"]
            colour = "red"
        "#;
        let errors = parse(text).unwrap_err().0;
        for key in [
            "gateway",
            "ca",
            "certificate",
            "key",
            "ticket_key",
            "ingest_key",
            "datasets",
            "vault",
            "receiving_key",
            "slots",
            "lowered",
            "colour",
        ] {
            let about = errors.iter().filter(|error| error.starts_with(&format!("{key}:")));
            assert_eq!(about.count(), 1, "{key} in {errors:?}");
        }
    }

    #[test]
    fn a_vault_is_a_folder_or_a_token() {
        assert_eq!(parse(GOOD).unwrap().vault, VaultPlace::Folder("/site/worker/vault".into()));
        let token =
            r#"vault = { library = "/lib/hsm.so", token = "a", pin = "pin", records = "r" }"#;
        let config = parse(&GOOD.replace(r#"vault = "vault""#, token)).unwrap();
        let VaultPlace::Token(place) = config.vault else { panic!("no token") };
        assert_eq!((place.token.as_str(), place.pin), ("a", "/site/worker/pin".into()));
        let bad = r#"vault = { library = "/lib/hsm.so", token = 7, records = "r", slot = 1 }"#;
        let errors = parse(&GOOD.replace(r#"vault = "vault""#, bad)).unwrap_err().0;
        let names: Vec<_> = errors.iter().filter_map(|error| error.split_once(':')).collect();
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["vault.token", "vault.pin", "vault.slot"]);
    }

    #[test]
    fn lowered_controls_are_taken_by_name() {
        let config = parse(&format!("{GOOD}\nlowered = [\"network\"]")).unwrap();
        assert!(config.lowered.contains(Control::Network));
        assert!(!config.lowered.contains(Control::Files));
    }
}
