//! `componentize in.wasm out.wasm`: wraps a core module that carries wit-bindgen's custom
//! sections into a component. No WASI adapter is added, so a module that wants WASI fails here.

use anyhow::{Context, bail};
use wit_component::ComponentEncoder;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        bail!("usage: componentize in.wasm out.wasm");
    };
    let core = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .context("the module does not carry usable component sections")?
        .encode()
        .context("the module cannot become a component")?;
    std::fs::write(to, component).with_context(|| format!("writing {}", to.display()))
}
