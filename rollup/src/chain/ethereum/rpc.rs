//! JSON-RPC 2.0 over HTTP with one endpoint.
//!
//! A few lines of our own over a blocking HTTP client: an answer has a bound in bytes and in time, no URL comes into a
//! log or an error, and no async runtime comes into the host's process.

use super::endpoint::Endpoint;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// More than any answer asked for here: a block's header, a contract's code, some logs.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Of a node's own words, in an error.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RpcError {
    /// Nobody answers there, or not as a node does.
    Unreachable(String),
    /// The node answers with an error.
    Refused {
        message: String,
        /// What a reverted call answers.
        data: Option<Vec<u8>>,
    },
}

/// One endpoint.
pub(super) struct Rpc {
    pub(super) endpoint: Endpoint,
    agent: ureq::Agent,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

impl Rpc {
    pub(super) fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        Self { endpoint, agent: agent(timeout) }
    }

    pub(super) fn call<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<T, RpcError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (status, body) =
            self.exchange(&request).map_err(|error| RpcError::Unreachable(describe(&error)))?;
        let strange =
            || RpcError::Unreachable(format!("{method} got HTTP status {status} and no JSON-RPC answer"));
        let Answer { result, error } = serde_json::from_slice(&body).map_err(|_| strange())?;
        if let Some(Refusal { message, data }) = error {
            let message = message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect();
            return Err(RpcError::Refused { message, data: revert_data(&data) });
        }
        if status != 200 {
            return Err(strange());
        }
        serde_json::from_value(result).map_err(|error| {
            RpcError::Unreachable(format!("{method} got an answer of another form: {error}"))
        })
    }

    fn exchange(&self, request: &str) -> Result<(u16, Vec<u8>), ureq::Error> {
        let uri = self.endpoint.uri().clone();
        let mut response = self.agent.post(uri).header("content-type", "application/json").send(request)?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((response.status().as_u16(), body))
    }
}

/// What asks, with all its bounds.
pub(super) fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        // Nodes say why in the body, whatever the status is.
        .http_status_as_error(false)
        .build();
    config.into()
}

/// Asks for what is at a path behind an endpoint; the status and the body, or why there is none.
pub(super) fn get(agent: &ureq::Agent, endpoint: &Endpoint, path: &str) -> Result<(u16, Vec<u8>), String> {
    let ask = || -> Result<_, ureq::Error> {
        let mut response = agent.get(endpoint.join(path)?).header("accept", "application/json").call()?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((response.status().as_u16(), body))
    };
    ask().map_err(|error| describe(&error))
}

/// An error without the URL in it.
fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the URL can't be used".into(),
        error => error.to_string(),
    }
}

/// What a contract answered, where clients put it: hex in `data`, or in a field of it.
fn revert_data(data: &Value) -> Option<Vec<u8>> {
    let text = data.as_str().or_else(|| data.get("data").and_then(Value::as_str))?;
    let hex_digits = text.strip_prefix("0x").or_else(|| text.rsplit_once("0x").map(|(_, digits)| digits))?;
    hex::decode(hex_digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contract_answered_is_found_where_clients_put_it() {
        let answer = Some(vec![0x09, 0xbd, 0xe3, 0x39]);
        for data in [json!("0x09bde339"), json!({ "data": "0x09bde339" }), json!("Reverted 0x09bde339")] {
            assert_eq!(revert_data(&data), answer, "{data}");
        }
        for data in [json!(null), json!("no hex"), json!("0x0"), json!({ "other": "0x09" }), json!(7)] {
            assert_eq!(revert_data(&data), None, "{data}");
        }
    }
}
