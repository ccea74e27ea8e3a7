//! Root keys of the gateway's vault.

use sekisho_app::RootKey;
use sekisho_proto::v1;

use super::Shown;

impl Shown for RootKey {
    type Message = v1::VaultKey;

    fn message(self) -> v1::VaultKey {
        let Self { status, wraps } = self;
        v1::VaultKey {
            generation: status.generation.number(),
            current: status.current,
            created_at: status.record.map(|record| record.created_at.into()),
            uses: status.record.map_or(0, |record| record.uses),
            wraps,
            exhausted: status.exhausted.map(|why| why.to_string()).unwrap_or_default(),
        }
    }
}
