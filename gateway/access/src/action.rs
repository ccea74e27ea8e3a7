//! Every action there is. The trait is sealed: an action that is not listed here, and
//! so not in the policy matrix, cannot be permitted.

use crate::resource::{
    BringInResource, ModuleResource, OutputResource, ProjectResource, ReidentificationRegister,
    ReidentificationResource, ReleaseResource, Resource, ReviewResource, RunPlan, RunResource,
    Site,
};

mod sealed {
    pub trait Sealed {}
}

/// Something a caller may want to do.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// What it is done to.
    type Resource: Resource;
    /// Name in the Cedar schema.
    const NAME: &'static str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident on $resource:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Action for $name {
                type Resource = $resource;
                const NAME: &'static str = stringify!($name);
            }
        )*

        /// Name and resource type of every action, for the policy matrix.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), <$resource as Resource>::TYPE),)*];
    };
}

actions! {
    /// Ask who one is.
    ReadOwnSession on Site;
    /// End one's own session.
    Logout on Site;
    /// Begin a fresh assertion.
    BeginStepUp on Site;
    /// Read the catalogue.
    BrowseCatalogue on Site;
    /// Ask how many persons a published dataset has (CT-2).
    CountPatients on Site;
    /// List one's projects.
    ListProjects on Site;
    /// List the requests that wait for output reviewers.
    ListReviewQueue on Site;
    /// List the modules that wait for module reviewers.
    ListModuleQueue on Site;
    /// List the brought-in tables that wait for a steward.
    ListBringInQueue on Site;
    /// Record an organisation.
    RegisterOrganisation on Site;
    /// Put a person on the roster.
    RegisterPerson on Site;
    /// Read the roster.
    ListPeople on Site;
    /// Take a person off the roster.
    RemovePerson on Site;
    /// Publish a dataset version.
    RegisterDataset on Site;
    /// Set the date from which a rule of the linkage matrix is open (LK-3).
    SetLinkageDate on Site;
    /// Look at the root keys of the gateway's vault.
    ListVaultKeys on Site;
    /// Make a new root key and wrap the projects' keys under it.
    RotateVaultKey on Site;
    /// Record an agreement.
    RecordAgreement on Site;
    /// Let a worker in.
    EnrolWorker on Site;
    /// Read the log and its proofs.
    ReadLog on Site;
    /// Watch alerts.
    WatchAlerts on Site;
    /// Cut a session.
    RevokeSession on Site;
    /// Take a queued run.
    LeaseRun on Site;
    /// Report on a leased run.
    HoldRun on RunResource;
    /// Read a project.
    ReadProject on ProjectResource;
    /// Close a project and destroy its keys.
    CloseProject on ProjectResource;
    /// Read a closed project's erasure record.
    ReadErasure on ProjectResource;
    /// Bring a module in.
    SubmitModule on ProjectResource;
    /// List a project's modules.
    ListModules on ProjectResource;
    /// Bring a table in (AG-5).
    SubmitBringIn on ProjectResource;
    /// List the tables a project brought in.
    ListBringIns on ProjectResource;
    /// List a project's runs.
    ListRuns on ProjectResource;
    /// List a project's releases.
    ListReleases on ProjectResource;
    /// List a project's review requests.
    ListReviewRequests on ProjectResource;
    /// Ask for a run.
    StartRun on RunPlan;
    /// Read a module.
    ReadModule on ModuleResource;
    /// Decide on a module.
    DecideModule on ModuleResource;
    /// Read what a brought-in table says of itself.
    ReadBringIn on BringInResource;
    /// Read a brought-in table's rows, to review it.
    ReadBringInTable on BringInResource;
    /// Decide on a brought-in table.
    DecideBringIn on BringInResource;
    /// Take a brought-in table back.
    WithdrawBringIn on BringInResource;
    /// Read a run's state.
    ReadRun on RunResource;
    /// End a run.
    CancelRun on RunResource;
    /// List a run's outputs.
    ListOutputs on RunResource;
    /// Ask for the release of a run's outputs.
    RequestRelease on RunResource;
    /// Read an output's content.
    ReadOutput on OutputResource;
    /// Read a review request.
    ReadReviewRequest on ReviewResource;
    /// Vote on a review request.
    CastVote on ReviewResource;
    /// Answer a returned request.
    ResubmitRelease on ReviewResource;
    /// Fetch a release.
    FetchRelease on ReleaseResource;
    /// Order the patients of a released cell for a regulator's case (RI-2).
    OrderReidentification on ReidentificationRegister;
    /// Look at such orders.
    ListReidentifications on ReidentificationRegister;
    /// Confirm another steward's order.
    ConfirmReidentification on ReidentificationResource;
    /// Take an order to the identified zone.
    FetchReidentification on ReidentificationResource;
    /// Take a confirmed order to trace it.
    LeaseTrace on ReidentificationRegister;
    /// Report on a leased trace.
    HoldTrace on ReidentificationResource;
}
