use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};

use crate::JailRecord;

/// Newest kernel interface whose rights are asked for; older kernels enforce what they know.
const NEWEST: ABI = ABI::V6;

/// Leaves some folders readable; every other file, every write, TCP and signals to outside
/// processes are refused.
pub(crate) fn restrict(readable: &[PathBuf], record: &mut JailRecord) -> Result<(), String> {
    let folders = readable.iter().map(PathFd::new).collect::<Result<Vec<_>, _>>();
    let folders = folders.map_err(|error| error.to_string())?;
    let status = enforce(folders).map_err(|error| format!("Landlock refused: {error}"))?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(format!("Landlock is not in force: {:?}", status.landlock));
    }
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as i32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => {
            return Err(format!("Landlock is not in force: {:?}", status.landlock));
        }
    };
    record.applied(format!("landlock-{abi}"));
    Ok(())
}

fn enforce(folders: Vec<PathFd>) -> Result<RestrictionStatus, RulesetError> {
    let readable = AccessFs::ReadFile | AccessFs::ReadDir;
    let rules =
        folders.into_iter().map(|folder| Ok::<_, RulesetError>(PathBeneath::new(folder, readable)));
    Ruleset::default()
        // The file rights of the first interface are a hard requirement; later ones
        // (truncate, device ioctl, TCP, scopes) are taken where the kernel has them.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(rules)?
        .restrict_self()
}
