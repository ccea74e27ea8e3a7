//! The engine with real guests over tables in memory. Needs `make guests` first.

// Each module says that it is a test: clippy's leave for tests looks for it.

#[cfg(test)]
mod apart;
#[cfg(test)]
mod cohort;
#[cfg(test)]
mod compiled;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod estimates;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lookup;
#[cfg(test)]
mod lung;
#[cfg(test)]
mod misfit;
#[cfg(test)]
mod own_codes;
mod per_patient;
#[cfg(test)]
mod query;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod smith;
#[cfg(test)]
mod support;
#[cfg(test)]
mod view;
