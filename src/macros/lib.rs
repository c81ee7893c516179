//! Reads a charm's metadata when the charm is compiled.
//!
//! One macro, [`charm!`]; `yaml` reads the files into a `Description`, `code` writes the items.
//! This is the only place of the hook path that reads YAML, and nothing of it ends up in a hook.

mod code;
mod yaml;

use std::path::PathBuf;

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Ident, LitStr, Token, Type};

/// What the macro is given: a file, and the types that implement the interfaces of endpoints.
struct Input {
    file: LitStr,
    types: Vec<EndpointType>,
}

/// `prometheus: PrometheusManualProvides`, or `"manual-jobs": PrometheusManualRequires`.
struct EndpointType {
    name: String,
    span: proc_macro2::Span,
    implementation: Type,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let file = input.parse()?;
        if input.parse::<Option<Token![,]>>()?.is_none() {
            return Ok(Self { file, types: Vec::new() });
        }
        let types = Punctuated::<EndpointType, Token![,]>::parse_terminated(input)?;
        Ok(Self { file, types: types.into_iter().collect() })
    }
}

impl Parse for EndpointType {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (name, span) = if input.peek(LitStr) {
            let name: LitStr = input.parse()?;
            (name.value(), name.span())
        } else {
            let name: Ident = input.parse()?;
            (name.to_string(), name.span())
        };
        input.parse::<Token![:]>()?;
        Ok(Self { name, span, implementation: input.parse()? })
    }
}

/// Makes constants and types from the `metadata.yaml`, `config.yaml` and `actions.yaml` of a charm.
///
/// The path is taken from the file that the macro stands in; `config.yaml` and `actions.yaml` are read
/// beside it if they are there.  After the path come the types that implement the interfaces of the
/// endpoints; an endpoint without one gets the plain `Endpoint`.
///
/// ```text
/// charms_reactive::charm!("../metadata.yaml", prometheus: PrometheusManualProvides);
/// ```
///
/// Made from them:
///
/// - `endpoints::PROMETHEUS`, an `EndpointKey`, for each endpoint;
/// - `options::SCRAPE_INTERVAL`, an `OptionKey`, for each option;
/// - `Config`, with a field for each option: an `Option` where there is no default;
/// - `actions::LIST_JOBS`, an `ActionKey`, and `actions::ListJobs` with its parameters, for each action;
/// - `metadata()`, all of it for `App::new`.
///
/// A misspelt name does not compile, nor does a type that speaks another interface or the other side.
#[proc_macro]
pub fn charm(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as Input);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &Input) -> syn::Result<TokenStream> {
    let wrong = |message: String| syn::Error::new(input.file.span(), message);
    let source = input
        .file
        .span()
        .unwrap()
        .local_file()
        .ok_or_else(|| wrong("cannot tell which file the macro stands in".to_owned()))?;
    let folder = source.parent().map_or_else(PathBuf::new, PathBuf::from);
    // The compiler names the file from where it was started, the top of the workspace.
    let path =
        std::path::absolute(folder.join(input.file.value())).map_err(|error| wrong(error.to_string()))?;
    let description = yaml::Description::read(&path).map_err(wrong)?;
    let mut types = Vec::new();
    for given in &input.types {
        let is_named = |name: &str| name == given.name || name.replace('-', "_") == given.name;
        let Some(endpoint) = description.endpoints.iter().find(|endpoint| is_named(&endpoint.name)) else {
            let names: Vec<&str> =
                description.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
            let message = format!(
                "`metadata.yaml` has no endpoint `{}`, expected one of {}",
                given.name,
                names.join(", ")
            );
            return Err(syn::Error::new(given.span, message));
        };
        types.push((endpoint.name.clone(), &given.implementation, given.implementation.span()));
    }
    code::items(&description, &types)
}
