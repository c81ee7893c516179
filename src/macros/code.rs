//! The items that `charm!` makes.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use serde_json::Value;
use syn::{Ident, LitStr, Type};

use crate::yaml::{Action, Description, Endpoint, Field, Kind};

type EndpointTypes<'a> = [(String, &'a Type, Span)];

/// All items for a charm.
pub(crate) fn items(description: &Description, types: &EndpointTypes<'_>) -> syn::Result<TokenStream> {
    let endpoints = endpoint_keys(&description.endpoints, types)?;
    let options = description.options.iter().map(option_key).collect::<syn::Result<Vec<_>>>()?;
    let config = config(&description.options)?;
    let actions = description.actions.iter().map(action_items).collect::<syn::Result<Vec<_>>>()?;
    let metadata = metadata(description)?;
    let files = description.files.iter().map(|file| file.to_string_lossy().into_owned());
    Ok(quote! {
        /// The endpoints of the charm.
        pub mod endpoints {
            #[allow(unused_imports)]
            use super::*;
            #(#endpoints)*
        }

        /// The options of the charm.
        pub mod options {
            #(#options)*
        }

        #config

        /// The actions of the charm.
        pub mod actions {
            #(#actions)*
        }

        #metadata

        // Compile again when one of the files changes.
        const _: &[&[u8]] = &[#(include_bytes!(#files)),*];
    })
}

fn endpoint_keys(endpoints: &[Endpoint], types: &EndpointTypes<'_>) -> syn::Result<Vec<TokenStream>> {
    let mut keys = Vec::new();
    for endpoint in endpoints {
        let (name, interface) = (&endpoint.name, &endpoint.interface);
        let constant = constant_name(name)?;
        let role = format_ident!("{}", endpoint.role);
        let doc = format!("Endpoint `{name}` of interface `{interface}`.");
        let given = types.iter().find(|(given, ..)| given == name);
        let (implementation, span) = match given {
            Some((_, implementation, span)) => (quote!(#implementation), *span),
            None => (quote!(::charms_reactive::Endpoint), Span::call_site()),
        };
        keys.push(quote_spanned! {span=>
            #[doc = #doc]
            pub const #constant: ::charms_reactive::EndpointKey<#implementation> =
                ::charms_reactive::EndpointKey::new(#name, ::charms_reactive::Role::#role, #interface);
        });
    }
    Ok(keys)
}

fn option_key(option: &Field) -> syn::Result<TokenStream> {
    let name = &option.name;
    let constant = constant_name(name)?;
    let doc = documentation(&format!("Option `{name}`."), &option.description);
    Ok(quote! {
        #[doc = #doc]
        pub const #constant: ::charms_reactive::charm::OptionKey = ::charms_reactive::charm::OptionKey::new(#name);
    })
}

fn config(options: &[Field]) -> syn::Result<TokenStream> {
    let (fields, values) = struct_fields(options)?;
    Ok(quote! {
        /// The options of the charm, typed.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            #(#fields)*
        }

        impl ::charms_reactive::charm::FromConfig for Config {
            fn from_config(
                values: &::charms_reactive::serde_json::Map<String, ::charms_reactive::serde_json::Value>,
            ) -> ::core::result::Result<Self, ::charms_reactive::charm::ValueError> {
                let _ = values;
                Ok(Self { #(#values)* })
            }
        }
    })
}

fn action_items(action: &Action) -> syn::Result<TokenStream> {
    let name = &action.name;
    let constant = constant_name(name)?;
    let parameters = type_name(name)?;
    let (fields, values) = struct_fields(&action.parameters)?;
    let doc = documentation(&format!("Action `{name}`."), &action.description);
    let parameters_doc = format!("The parameters of action `{name}`.");
    Ok(quote! {
        #[doc = #doc]
        pub const #constant: ::charms_reactive::charm::ActionKey<#parameters> =
            ::charms_reactive::charm::ActionKey::new(#name);

        #[doc = #parameters_doc]
        #[derive(Clone, Debug, PartialEq)]
        pub struct #parameters {
            #(#fields)*
        }

        impl ::charms_reactive::charm::FromParameters for #parameters {
            fn from_parameters(
                values: &::charms_reactive::serde_json::Map<String, ::charms_reactive::serde_json::Value>,
            ) -> ::core::result::Result<Self, ::charms_reactive::charm::ValueError> {
                let _ = values;
                Ok(Self { #(#values)* })
            }
        }
    })
}

/// The fields of a struct, and how each is taken from the values.
fn struct_fields(fields: &[Field]) -> syn::Result<(Vec<TokenStream>, Vec<TokenStream>)> {
    let mut declared = Vec::new();
    let mut taken = Vec::new();
    for field in fields {
        let name = &field.name;
        let ident = field_name(name)?;
        let doc = documentation(&format!("`{name}`."), &field.description);
        let (of_kind, expected) = match field.kind {
            Kind::Text => (quote!(::std::string::String), "a text"),
            Kind::Whole => (quote!(i64), "a whole number"),
            Kind::Number => (quote!(f64), "a number"),
            Kind::Truth => (quote!(bool), "true or false"),
            Kind::Secret => (quote!(::std::string::String), "the id of a secret"),
            Kind::Any => (quote!(::charms_reactive::serde_json::Value), "a value"),
        };
        let typed = |of: &TokenStream| quote!(::charms_reactive::charm::typed_value::<#of>(values, #name, #expected)?);
        let optional = quote!(::core::option::Option<#of_kind>);
        let (declared_kind, value) = match default_value(field) {
            Some(default) => {
                let given = typed(&optional);
                (of_kind, quote!(match #given { Some(value) => value, None => #default }))
            }
            None if field.is_required => (of_kind.clone(), typed(&of_kind)),
            None => (optional.clone(), typed(&optional)),
        };
        declared.push(quote! { #[doc = #doc] pub #ident: #declared_kind, });
        taken.push(quote! { #ident: #value, });
    }
    Ok((declared, taken))
}

/// The default as an expression of the field's type; None where there is none.
fn default_value(field: &Field) -> Option<TokenStream> {
    match (field.kind, &field.default) {
        (Kind::Text | Kind::Secret, Value::String(text)) => Some(quote!(::std::string::String::from(#text))),
        (Kind::Whole, Value::Number(number)) => {
            let whole = Literal::i64_suffixed(number.as_i64()?);
            Some(quote!(#whole))
        }
        (Kind::Number, Value::Number(number)) => {
            let float = Literal::f64_suffixed(number.as_f64()?);
            Some(quote!(#float))
        }
        (Kind::Truth, Value::Bool(truth)) => Some(quote!(#truth)),
        _ => None,
    }
}

fn metadata(description: &Description) -> syn::Result<TokenStream> {
    let name = &description.name;
    let endpoints = description
        .endpoints
        .iter()
        .map(|endpoint| constant_name(&endpoint.name))
        .collect::<syn::Result<Vec<_>>>()?;
    let options = description.options.iter().map(|option| {
        let name = &option.name;
        let kind = match option.kind {
            Kind::Text | Kind::Any => quote!(String),
            Kind::Whole => quote!(Int),
            Kind::Number => quote!(Float),
            Kind::Truth => quote!(Boolean),
            Kind::Secret => quote!(Secret),
        };
        let default = default_value(option).map_or_else(
            || quote!(::charms_reactive::serde_json::Value::Null),
            |default| quote!(::charms_reactive::serde_json::Value::from(#default)),
        );
        quote! {
            ::charms_reactive::OptionSpec {
                name: String::from(#name),
                kind: ::charms_reactive::OptionKind::#kind,
                default: #default,
            }
        }
    });
    let actions = description.actions.iter().map(|action| &action.name);
    Ok(quote! {
        /// What the charm is to Juju, and which types implement its interfaces.
        pub fn metadata() -> ::charms_reactive::Charm {
            ::charms_reactive::Charm::new(::charms_reactive::Metadata {
                name: String::from(#name),
                endpoints: Vec::new(),
                options: vec![#(#options),*],
                actions: vec![#(String::from(#actions)),*],
            })
            #(.endpoint(endpoints::#endpoints))*
        }
    })
}

/// A first line, and what the YAML file says.
fn documentation(first: &str, description: &str) -> String {
    // Not ours to format: shown as it was written, and never taken for code or links.
    let quoted: Vec<String> = description.trim().lines().map(|line| format!("> {line}")).collect();
    if quoted.is_empty() { first.to_owned() } else { format!("{first}\n\n{}", quoted.join("\n")) }
}

fn constant_name(name: &str) -> syn::Result<Ident> {
    identifier(name, &name.replace('-', "_").to_uppercase())
}

fn field_name(name: &str) -> syn::Result<Ident> {
    let snake = name.replace(['-', '.'], "_").to_lowercase();
    syn::parse_str(&snake).or_else(|_| identifier(name, &format!("r#{snake}")))
}

fn type_name(name: &str) -> syn::Result<Ident> {
    let mut camel = String::new();
    for part in name.split(['-', '_']) {
        let mut characters = part.chars();
        camel.extend(characters.next().into_iter().flat_map(char::to_uppercase).chain(characters));
    }
    identifier(name, &camel)
}

fn identifier(name: &str, text: &str) -> syn::Result<Ident> {
    syn::parse_str(text).map_err(|_| {
        let message = format!("`{name}` cannot be written as a Rust name, tried `{text}`");
        syn::Error::new(LitStr::new(name, Span::call_site()).span(), message)
    })
}
