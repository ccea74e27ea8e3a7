/// What happened in one group from a time until before the next one listed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// In the declared unit.
    pub time: f64,
    /// Patients of whom nothing had happened before; of the first moment, all of the group.
    pub at_risk: u64,
    /// With the event at this time.
    pub events: u64,
    /// Without it, whose follow-up ended at this time or before the next.
    pub censored: u64,
}
