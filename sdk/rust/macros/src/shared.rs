//! What both worlds have.

use sekisho_module::{Manifest, ParameterKind};

use crate::names::snake;

/// The contract, built into every guest.
pub(crate) const WIT: &str = include_str!("../../../../sandbox/wit/analysis.wit");

/// The generated side of the contract, in a private module of the analysis.
pub(crate) fn bindings(world: &str) -> String {
    format!(
        "::sekisho_analysis::wit_bindgen::generate!({{ inline: {WIT:?}, world: {world:?}, \
         runtime_path: \"::sekisho_analysis::wit_bindgen::rt\" }});\n"
    )
}

/// `struct Parameters` with one field per declared parameter, and its defaults.
pub(crate) fn parameters(manifest: &Manifest) -> String {
    let mut fields = String::new();
    let mut defaults = String::new();
    for parameter in &manifest.parameters {
        let name = snake(&parameter.name);
        let (kind, default) = match &parameter.kind {
            ParameterKind::Number { default, .. } => ("f64", format!("{default:?}")),
            ParameterKind::Integer { default, .. } => ("i64", default.to_string()),
            ParameterKind::Text { default, .. } => {
                ("::std::string::String", format!("{default:?}.to_owned()"))
            }
            ParameterKind::Flag { default } => ("bool", default.to_string()),
        };
        let title = format!("{} (`{}`).", parameter.title, parameter.name);
        fields += &format!("#[doc = {title:?}] pub {name}: {kind},\n");
        defaults += &format!("{name}: {default},\n");
    }
    format!(
        "/// The declared parameters; `default()` gives the declared defaults.\n\
         #[derive(Clone, Debug, PartialEq)] pub struct Parameters {{ {fields} }}\n\
         impl ::core::default::Default for Parameters {{ \
         fn default() -> Self {{ Self {{ {defaults} }} }} }}\n"
    )
}

/// Reads the list of values the host gives, inside the glue module.
pub(crate) fn read_parameters(manifest: &Manifest) -> String {
    let mut code = "#[allow(unused_mut, unused_variables)] let mut parameters = \
                    super::Parameters::default();\n"
        .to_owned();
    for (at, parameter) in manifest.parameters.iter().enumerate() {
        let name = snake(&parameter.name);
        let case = match &parameter.kind {
            ParameterKind::Number { .. } => "Number",
            ParameterKind::Integer { .. } => "Integer",
            ParameterKind::Text { .. } => "Text",
            ParameterKind::Flag { .. } => "Flag",
        };
        code += &format!(
            "if let ::core::option::Option::Some(Parameter::{case}(value)) = given.get({at}) \
             {{ parameters.{name} = value.clone(); }}\n"
        );
    }
    code
}
