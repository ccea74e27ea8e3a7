use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};

use crate::JailRecord;

/// Newest kernel interface whose rights are asked for; older kernels enforce what they know.
const NEWEST: ABI = ABI::V6;

/// Leaves one folder readable; every other file, every write, TCP and signals to outside
/// processes are refused.
pub(crate) fn restrict(readable: &Path, record: &mut JailRecord) -> Result<(), String> {
    let folder = PathFd::new(readable).map_err(|error| error.to_string())?;
    let status = enforce(folder).map_err(|error| format!("Landlock refused: {error}"))?;
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

fn enforce(folder: PathFd) -> Result<RestrictionStatus, RulesetError> {
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
        .add_rule(PathBeneath::new(folder, AccessFs::ReadFile | AccessFs::ReadDir))?
        .restrict_self()
}
