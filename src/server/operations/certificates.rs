//! `/1.0/certificates`: whom the server trusts, and how one comes to be.

use charms_reactive_operations::Created;

use super::answer::{Answer, Problem, created, started, sync};
use super::caller::Caller;
use super::desk::{json as text, shown};
use super::query::Parameters;
use super::routes::Api;
use super::trust::{self, Asked, Trusted};

fn url(fingerprint: &str) -> String {
    format!("/1.0/certificates/{fingerprint}")
}

pub(super) fn list(api: &Api, parameters: &Parameters) -> Answer {
    let all = api.trust.all();
    Ok(sync(&match parameters.recursion() {
        0 => text(&all.iter().map(|one| url(&one.fingerprint)).collect::<Vec<_>>()),
        _ => text(&all),
    }))
}

pub(super) fn show(api: &Api, fingerprint: &str) -> Answer {
    let one: Trusted = api.trust.find(fingerprint)?;
    Ok(sync(&text(&one)))
}

pub(super) async fn remove(api: &Api, fingerprint: &str) -> Answer {
    api.trust.remove(fingerprint).await?;
    Ok(sync("{}"))
}

/// Makes a token, trusts somebody, or lets in who has a token.
pub(super) async fn add(api: &Api, caller: &Caller, body: &[u8]) -> Answer {
    let asked = Asked::parse(body)?;
    if asked.token {
        return make_token(api, caller, asked).await;
    }
    let Some(secret) = asked.secret().filter(|_| !caller.is_trusted()) else {
        caller.trusted()?;
        let certificate = api.trust.certificate(&asked, caller.certificate.as_ref())?;
        return Ok(created(&url(&api.trust.add(&asked, &certificate).await?)));
    };
    let certificate = api.trust.certificate(&asked, caller.certificate.as_ref())?;
    let by = caller.stranger(&certificate);
    // Used up first: whatever happens then, nobody else comes in with it.
    let name = api.operations.act(move |turn| trust::use_up(turn, &secret, &by)).await??;
    let fingerprint = api.trust.add(&asked.of_token(name), &certificate).await?;
    log::info!("client {fingerprint} is trusted from now on: it had a token");
    Ok(created(&url(&fingerprint)))
}

async fn make_token(api: &Api, caller: &Caller, asked: Asked) -> Answer {
    let by = caller.trusted()?.clone();
    let own = api.trust.server().cloned().ok_or_else(|| {
        Problem::new(400, "there is nowhere to come with a token: charmd serves no TLS, see `--https`")
    })?;
    let age = own.token_age;
    let made = api.operations.act(move |turn| {
        let secret = turn.secret();
        let id = turn.create(asked.draft(&own, &secret, by, turn.now)).map(Created::id)?;
        Ok::<_, Problem>((id, shown(turn.registry, turn.registry.get(id)?)))
    });
    let (id, operation) = made.await??;
    tokio::spawn(trust::end_later(api.operations.clone(), id, age));
    Ok(started(&id.url(), &operation))
}
