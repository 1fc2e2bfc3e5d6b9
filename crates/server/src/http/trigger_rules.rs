//! Rules of triggers, without any I/O: what may be subscribed to, with which parameters, and which happenings match.

use pizzapi_protocol::mode::find_session_mode;
use pizzapi_protocol::{
    FilterMode, FilterOp, RawJson, ServiceModeDef, ServiceTriggerDef, ServiceTriggerParamDef, TriggerFilter,
    TriggerParamKind,
};
use serde_json::{Map, Value};

/// Filters of one subscription, and members of its parameters.
pub const MAX_FILTERS: usize = 32;
pub const MAX_PARAMS: usize = 64;

/// May a session in `cwd` have a trigger that belongs to certain modes?
pub fn is_in_scope(def: &ServiceTriggerDef, modes: &[ServiceModeDef], cwd: &str) -> bool {
    match def.modes.as_deref() {
        None | Some([]) => true,
        Some(wanted) => find_session_mode(cwd, modes, (None, None)).is_some_and(|mode| wanted.contains(&mode.id)),
    }
}

/// Check and convert parameters against their definitions. Members nobody defined are kept. The error lists all faults.
pub fn params(given: &Map<String, Value>, defs: &[ServiceTriggerParamDef]) -> Result<Map<String, Value>, String> {
    let mut faults = Vec::new();
    if given.len() > MAX_PARAMS {
        faults.push(format!("At most {MAX_PARAMS} parameters"));
    }
    let mut out = given.clone();
    for def in defs {
        let value = match given.get(&def.name) {
            None | Some(Value::Null) => {
                match def.default.as_ref().and_then(|value| value.to::<Value>().ok()) {
                    Some(default) => drop(out.insert(def.name.clone(), default)),
                    None if def.required == Some(true) => {
                        faults.push(format!("Missing required parameter '{}'", def.name))
                    }
                    None => drop(out.remove(&def.name)),
                }
                continue;
            }
            Some(value) => value,
        };
        let converted = match (def.multiselect == Some(true), value) {
            (true, Value::Array(items)) => {
                items.iter().map(|item| convert(def, item)).collect::<Option<Vec<_>>>().map(Value::Array)
            }
            (true, single) => convert(def, single).map(|item| Value::Array(vec![item])),
            (false, value) => convert(def, value),
        };
        match converted {
            Some(value) => drop(out.insert(def.name.clone(), value)),
            None => faults.push(format!("Parameter '{}' must be {}", def.name, expected(def))),
        }
    }
    if faults.is_empty() { Ok(out) } else { Err(faults.join("; ")) }
}

fn convert(def: &ServiceTriggerParamDef, value: &Value) -> Option<Value> {
    let value = match def.kind {
        TriggerParamKind::Number => match value {
            Value::Number(_) => value.clone(),
            Value::String(text) => serde_json::Number::from_f64(text.trim().parse().ok()?)?.into(),
            _ => return None,
        },
        TriggerParamKind::Boolean => match value {
            Value::Bool(_) => value.clone(),
            Value::String(text) if text == "true" => Value::Bool(true),
            Value::String(text) if text == "false" => Value::Bool(false),
            _ => return None,
        },
        TriggerParamKind::Json => match value {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        },
        _ => match value {
            Value::String(_) => value.clone(),
            Value::Number(number) => Value::String(number.to_string()),
            Value::Bool(flag) => Value::String(flag.to_string()),
            _ => return None,
        },
    };
    let allowed = def.choices.as_ref().is_none_or(|choices| {
        choices.iter().filter_map(|choice| choice.to::<Value>().ok()).any(|choice| loosely_equal(&choice, &value))
    });
    allowed.then_some(value)
}

fn expected(def: &ServiceTriggerParamDef) -> String {
    if let Some(choices) = &def.choices {
        return format!("one of {}", choices.iter().map(RawJson::get).collect::<Vec<_>>().join(", "));
    }
    match def.kind {
        TriggerParamKind::Number => "a number".to_owned(),
        TriggerParamKind::Boolean => "true or false".to_owned(),
        TriggerParamKind::Json => "valid JSON".to_owned(),
        _ => "text".to_owned(),
    }
}

/// Read filters; their fields must exist in the output when that is described. The error lists all faults.
pub fn filters(given: &Value, def: Option<&ServiceTriggerDef>) -> Result<Vec<TriggerFilter>, String> {
    let Value::Array(items) = given else { return Err("filters must be a list".to_owned()) };
    if items.len() > MAX_FILTERS {
        return Err(format!("At most {MAX_FILTERS} filters"));
    }
    let schema = def.and_then(|def| def.schema.as_ref()).and_then(|schema| schema.to::<Value>().ok());
    let known = schema.as_ref().and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let mut faults = Vec::new();
    let mut out = Vec::new();
    for item in items {
        let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        let value_fits = match item.get("value") {
            Some(Value::Array(list)) => list.iter().all(scalar),
            Some(value) => scalar(value),
            None => false,
        };
        match serde_json::from_value::<TriggerFilter>(item.clone()) {
            Ok(filter) if value_fits && !filter.field.is_empty() => {
                if known.is_some_and(|known| !known.contains_key(&filter.field)) {
                    faults.push(format!("Unknown filter field '{}'", filter.field));
                }
                out.push(filter);
            }
            _ => faults.push(
                "Each filter needs a field, and a value that is text, a number, true or false, or a list of those"
                    .to_owned(),
            ),
        }
    }
    if faults.is_empty() { Ok(out) } else { Err(faults.join("; ")) }
}

/// Does a happening pass the filters?
pub fn matches(filters: &[TriggerFilter], mode: FilterMode, payload: &Map<String, Value>) -> bool {
    let passes = |filter: &TriggerFilter| {
        let (Some(actual), Ok(wanted)) = (payload.get(&filter.field), filter.value.to::<Value>()) else { return false };
        match filter.op.unwrap_or_default() {
            FilterOp::Contains => contains(actual, &wanted),
            _ => equal_or_member(actual, &wanted),
        }
    };
    match mode {
        FilterMode::Or => filters.is_empty() || filters.iter().any(passes),
        _ => filters.iter().all(passes),
    }
}

fn equal_or_member(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Array(actual), Value::Array(wanted)) => {
            actual.iter().any(|a| wanted.iter().any(|w| loosely_equal(a, w)))
        }
        (Value::Array(actual), wanted) => actual.iter().any(|item| loosely_equal(item, wanted)),
        (actual, Value::Array(wanted)) => wanted.iter().any(|item| loosely_equal(actual, item)),
        (actual, wanted) => loosely_equal(actual, wanted),
    }
}

fn contains(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (actual, Value::Array(wanted)) => wanted.iter().any(|item| contains(actual, item)),
        (Value::Array(actual), wanted) => actual.iter().any(|item| contains(item, wanted)),
        (actual, wanted) => text(actual).to_lowercase().contains(&text(wanted).to_lowercase()),
    }
}

/// `1` and `"1"` are the same here, as services are careless about it.
fn loosely_equal(a: &Value, b: &Value) -> bool {
    a == b || (!a.is_object() && !b.is_object() && text(a) == text(b))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) => float.to_string(),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Check the parameters of a schedule. `None`: not a schedule.
pub fn schedule(kind: &str, params: &Map<String, Value>) -> Option<Result<(), String>> {
    let word = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    Some(match kind {
        "time:cron" => cron(word("cron")),
        "time:at" => at(word("at")),
        "time:timer_fired" if word("duration").is_empty() => Err("duration must be text such as 10m".to_owned()),
        "time:timer_fired" => Ok(()),
        _ => return None,
    })
}

/// Five fields within their ranges.
fn cron(text: &str) -> Result<(), String> {
    const FIELDS: [(&str, u32, u32); 5] =
        [("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7)];
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err("cron must have five fields: minute hour day month weekday".to_owned());
    }
    for (field, (name, low, high)) in fields.iter().zip(FIELDS) {
        let fits = field.split(',').all(|part| {
            let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let step_fits = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=high).contains(&step)));
            let number = |text: &str| text.parse::<u32>().ok().filter(|number| (low..=high).contains(number));
            let range_fits = match range.split_once('-') {
                Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
                None => range == "*" || number(range).is_some(),
            };
            step_fits && range_fits
        });
        if !fits {
            return Err(format!("cron: `{field}` is not a {name} between {low} and {high}"));
        }
    }
    Ok(())
}

/// An ISO time with a zone, or `HH:MM UTC`.
fn at(text: &str) -> Result<(), String> {
    let clock = text.strip_suffix("UTC").map(str::trim).and_then(|clock| clock.split_once(':')).is_some_and(
        |(hour, minute)| {
            let within =
                |text: &str, high: u32| (1..=2).contains(&text.len()) && text.parse::<u32>().is_ok_and(|n| n <= high);
            within(hour, 23) && minute.len() == 2 && within(minute, 59)
        },
    );
    if clock || crate::clock::from_iso(text).is_some() {
        return Ok(());
    }
    Err("at must be an ISO time with a zone, or HH:MM UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn def(value: Value) -> ServiceTriggerParamDef {
        serde_json::from_value(value).unwrap()
    }

    fn given(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn parameters_are_converted_and_all_faults_are_told() {
        let defs = [
            def(json!({ "name": "n", "label": "N", "type": "number", "required": true })),
            def(json!({ "name": "b", "label": "B", "type": "boolean", "default": true })),
            def(json!({ "name": "e", "label": "E", "type": "string", "enum": ["x", "y"], "multiselect": true })),
        ];
        let good = params(&given(json!({ "n": "7", "e": "x", "extra": 1 })), &defs).unwrap();
        assert_eq!(Value::Object(good), json!({ "n": 7.0, "e": ["x"], "extra": 1, "b": true }));
        let bad = params(&given(json!({ "b": "maybe", "e": ["z"] })), &defs).unwrap_err();
        assert_eq!(bad.split("; ").count(), 3, "{bad}");
    }

    #[test]
    fn filters_compare_loosely_and_look_into_lists() {
        let filter = |value: Value| serde_json::from_value::<TriggerFilter>(value).unwrap();
        let payload = given(json!({ "repo": "Pizza", "labels": ["bug", "p1"], "n": 1 }));
        let one = |value: Value| matches(&[filter(value)], FilterMode::And, &payload);
        assert!(one(json!({ "field": "n", "value": "1" })));
        assert!(one(json!({ "field": "labels", "value": ["p1", "p2"] })));
        assert!(one(json!({ "field": "repo", "value": "IZZ", "op": "contains" })));
        assert!(!one(json!({ "field": "repo", "value": "pizza" })));
        assert!(!one(json!({ "field": "missing", "value": "x" })));
        let both = [filter(json!({ "field": "n", "value": 1 })), filter(json!({ "field": "n", "value": 2 }))];
        assert!(!matches(&both, FilterMode::And, &payload));
        assert!(matches(&both, FilterMode::Or, &payload));
    }

    #[test]
    fn schedules_are_checked_by_range() {
        let check = |kind: &str, value: Value| schedule(kind, &given(value));
        assert_eq!(check("time:cron", json!({ "cron": "*/5 9-17 * * 1,2" })), Some(Ok(())));
        for wrong in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "* * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@daily",
        ] {
            assert!(check("time:cron", json!({ "cron": wrong })).unwrap().is_err(), "{wrong}");
        }
        assert_eq!(check("time:at", json!({ "at": "2030-01-01T10:00:00+02:00" })), Some(Ok(())));
        assert_eq!(check("time:at", json!({ "at": "09:30 UTC" })), Some(Ok(())));
        assert!(check("time:at", json!({ "at": "25:30 UTC" })).unwrap().is_err());
        assert!(check("time:at", json!({ "at": "2030-01-01 10:00" })).unwrap().is_err());
        assert_eq!(check("github:push", json!({})), None);
    }
}
