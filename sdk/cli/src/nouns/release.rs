//! `sekisho release`: fetch what was released.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Component, Path, PathBuf},
};

use clap::Subcommand;
use sekisho_proto::v1::{
    FetchReleaseRequest, ListReleasesRequest, output_service_client::OutputServiceClient,
};
use serde_json::json;

use crate::{
    error::CliError,
    gateway::Desk,
    pages::{PAGE, every_page},
    screen::{instant, table},
};

/// Released bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// A project's releases
    List {
        /// Project id
        #[arg(long)]
        project: String,
    },
    /// Write a bundle's files into a new folder
    Fetch {
        /// Release id
        release: String,
        /// Folder to write to; must not exist or be empty
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl ReleaseCommand {
    pub(crate) async fn run(self, desk: &Desk) -> Result<(), CliError> {
        let client = OutputServiceClient::new(desk.connect_session().await?);
        match self {
            Self::List { project } => {
                let releases = every_page(|page_token| {
                    let mut client = client.clone();
                    let project_id = project.clone();
                    async move {
                        let request =
                            ListReleasesRequest { project_id, page_size: PAGE, page_token };
                        let page = client.list_releases(request).await?.into_inner();
                        Ok((page.releases, page.next_page_token))
                    }
                })
                .await?;
                desk.screen.list("Release", &releases, || {
                    let mut rows = table(&["release", "run", "request", "released"], &[]);
                    for release in &releases {
                        rows.add_row([
                            release.release_id.clone(),
                            release.run_id.clone(),
                            release.review_request_id.clone(),
                            instant(release.released_at.as_ref()),
                        ]);
                    }
                    rows
                })
            }
            Self::Fetch { release, out } => fetch(desk, client, release, &out).await,
        }
    }
}

async fn fetch(
    desk: &Desk,
    mut client: OutputServiceClient<tonic::transport::Channel>,
    release_id: String,
    out: &Path,
) -> Result<(), CliError> {
    let request = FetchReleaseRequest { release_id };
    let mut stream = client.fetch_release(request).await?.into_inner();
    let mut bundle = BundleFolder::open(out)?;
    while let Some(part) = stream.message().await? {
        bundle.append(&part.path, &part.chunk)?;
    }
    let written = bundle.finish()?;
    if desk.screen.json {
        let files: Vec<_> =
            written.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
        return desk.screen.value(&json!(files));
    }
    let mut rows = table(&["file", "bytes"], &[1]);
    for (path, bytes) in &written {
        rows.add_row([out.join(path).display().to_string(), bytes.to_string()]);
    }
    desk.screen.text(&rows.trim_fmt())
}

/// Writes files as they come. Invariant: every path stays below `root`, and no
/// file is written twice.
struct BundleFolder {
    root: PathBuf,
    written: BTreeMap<String, u64>,
    open: Option<(String, File)>,
}

impl BundleFolder {
    fn open(root: &Path) -> Result<Self, CliError> {
        fs::create_dir_all(root).map_err(CliError::file(root))?;
        let mut entries = fs::read_dir(root).map_err(CliError::file(root))?;
        if entries.next().is_some() {
            let text = format!("{} is not empty", root.display());
            return Err(CliError::Input(text));
        }
        Ok(Self { root: root.to_owned(), written: BTreeMap::new(), open: None })
    }

    fn append(&mut self, path: &str, chunk: &[u8]) -> Result<(), CliError> {
        let full = self.root.join(relative(path)?);
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            if self.written.contains_key(path) {
                return Err(CliError::NotVerified(format!("the bundle names {path} twice")));
            }
            if let Some(parent) = full.parent() {
                fs::create_dir_all(parent).map_err(CliError::file(parent))?;
            }
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&full)
                .map_err(CliError::file(&full))?;
            self.open = Some((path.to_owned(), file));
            self.written.insert(path.to_owned(), 0);
        }
        if let Some((_, file)) = &mut self.open {
            file.write_all(chunk).map_err(CliError::file(&full))?;
        }
        if let Some(bytes) = self.written.get_mut(path) {
            *bytes += chunk.len() as u64;
        }
        Ok(())
    }

    fn finish(self) -> Result<BTreeMap<String, u64>, CliError> {
        if let Some((path, file)) = self.open {
            file.sync_all().map_err(CliError::file(path))?;
        }
        Ok(self.written)
    }
}

/// A path made of plain names only: not absolute, no `..`, no `.`, nothing empty.
fn relative(path: &str) -> Result<&Path, CliError> {
    let plain = !path.is_empty()
        && !path.contains(['\0', '\\'])
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain {
        return Ok(Path::new(path));
    }
    Err(CliError::NotVerified(format!("the bundle names {path:?}, which is not a path inside it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let bad = ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "./a", "a\0"];
        for path in bad {
            assert!(relative(path).is_err(), "{path:?}");
        }
        assert!(relative("outputs/table.csv").is_ok());
    }

    #[test]
    fn chunks_of_one_path_are_joined_and_a_repeated_path_refused() {
        let dir = tempfile::tempdir().expect("temp");
        let mut bundle = BundleFolder::open(&dir.path().join("new")).expect("open");
        bundle.append("a/b.txt", b"one ").expect("written");
        bundle.append("a/b.txt", b"two").expect("written");
        bundle.append("c.txt", b"").expect("written");
        assert!(bundle.append("a/b.txt", b"again").is_err());
        let written = bundle.finish().expect("finished");
        assert_eq!(written["a/b.txt"], 7);
        let text = fs::read_to_string(dir.path().join("new/a/b.txt")).expect("read");
        assert_eq!(text, "one two");
    }

    #[test]
    fn a_folder_with_files_is_not_written_to() {
        let dir = tempfile::tempdir().expect("temp");
        fs::write(dir.path().join("mine"), "x").expect("written");
        assert!(BundleFolder::open(dir.path()).is_err());
    }
}
