//! Stopped by: the host, which shows no error text of a guest over real data.

sekisho_analysis::analysis!("analysis.toml");

fn run(view: &View, _: &Parameters, _: &mut Outputs) -> Result<(), String> {
    let weights: Vec<f64> = view.visits().flat_map(|b| b.weight.values().to_vec()).collect();
    Err(format!("{:?} {weights:?}", view.visits_site_codes()))
}
