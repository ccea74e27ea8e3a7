//! `sekisho steward key`: the root keys of the gateway's vault.

use clap::Subcommand;
use comfy_table::Table;
use sekisho_proto::v1::{
    ListVaultKeysRequest, RotateVaultKeyRequest, VaultKey,
    steward_service_client::StewardServiceClient,
};
use tonic::transport::Channel;

use crate::{
    ceremony::step_up,
    error::CliError,
    gateway::Desk,
    screen::{instant, table},
};

const ROTATE_VAULT_KEY: &str = "/sekisho.v1.StewardService/RotateVaultKey";

/// Root keys of the gateway's vault. The worker's are looked after where it runs:
/// `sekisho-worker key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Every root key, its age, and how many projects' keys it wraps
    List,
    /// Make a new root key and wrap the projects' keys under it; needs a fresh assertion
    Rotate,
}

impl KeyCommand {
    pub(crate) async fn run(self, desk: &Desk, channel: Channel) -> Result<(), CliError> {
        let mut client = StewardServiceClient::new(channel.clone());
        let keys = match self {
            Self::List => client.list_vault_keys(ListVaultKeysRequest {}).await?.into_inner().keys,
            Self::Rotate => {
                let mut request = RotateVaultKeyRequest { step_up: None };
                let signed = step_up(&channel, desk.screen, ROTATE_VAULT_KEY, &request).await?;
                request.step_up = Some(signed);
                client.rotate_vault_key(request).await?.into_inner().keys
            }
        };
        desk.screen.list("VaultKey", &keys, || rows(&keys))
    }
}

fn rows(keys: &[VaultKey]) -> Table {
    let mut rows = table(&["generation", "made", "uses", "wraps", "standing"], &[0, 2, 3]);
    for key in keys {
        let standing = match (key.current, key.exhausted.as_str(), key.wraps) {
            (true, "", _) => "current".to_owned(),
            (true, why, _) => format!("rotate: {why}"),
            (false, _, 0) => "can be destroyed".to_owned(),
            (false, ..) => "opens only".to_owned(),
        };
        rows.add_row([
            key.generation.to_string(),
            instant(key.created_at.as_ref()),
            key.uses.to_string(),
            format!("{} projects", key.wraps),
            standing,
        ]);
    }
    rows
}
