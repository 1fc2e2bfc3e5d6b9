//! Check arguments against the part of JSON schema that tools use: types, required, enum, items, bounds, anyOf.

use serde_json::Value;

/// Deepest nesting that is checked.
const MAX_DEPTH: usize = 32;

/// All that is wrong, one line per finding; empty when the arguments fit.
pub fn check(schema: &Value, arguments: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    visit(schema, arguments, "", 0, &mut findings);
    findings
}

/// Turn what is nearly right into what the schema wants: numbers and booleans written as text, lists and objects as JSON text.
pub fn coerce(schema: &Value, value: Value) -> Value {
    match value {
        Value::Object(mut map) => {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, schema) in properties {
                    if let Some(value) = map.remove(key) {
                        let value = coerce(schema, value);
                        // Some models send null for what they leave out.
                        if !value.is_null() || allows(schema, "null") {
                            map.insert(key.clone(), value);
                        }
                    }
                }
            }
            Value::Object(map)
        }
        Value::Array(list) => match schema.get("items") {
            Some(items) => Value::Array(list.into_iter().map(|item| coerce(items, item)).collect()),
            None => Value::Array(list),
        },
        Value::String(text) if !allows(schema, "string") => from_text(schema, text),
        Value::Number(number)
            if allows(schema, "string") && !allows(schema, "number") && !allows(schema, "integer") =>
        {
            Value::String(number.to_string())
        }
        other => other,
    }
}

fn from_text(schema: &Value, text: String) -> Value {
    let parsed: Option<Value> = serde_json::from_str(text.trim()).ok();
    match parsed {
        Some(value) if type_fits(schema, &value) => coerce(schema, value),
        _ => Value::String(text),
    }
}

fn allows(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(kinds)) => kinds.iter().any(|k| k == kind),
        _ => true,
    }
}

fn type_fits(schema: &Value, value: &Value) -> bool {
    match value {
        Value::Null => allows(schema, "null"),
        Value::Bool(_) => allows(schema, "boolean"),
        Value::Number(number) => {
            allows(schema, "number")
                || (allows(schema, "integer")
                    && (number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|f| f.fract() == 0.0)))
        }
        Value::String(_) => allows(schema, "string"),
        Value::Array(_) => allows(schema, "array"),
        Value::Object(_) => allows(schema, "object"),
    }
}

fn visit(schema: &Value, value: &Value, path: &str, depth: usize, findings: &mut Vec<String>) {
    if depth > MAX_DEPTH || !schema.is_object() {
        return;
    }
    let name = if path.is_empty() { "arguments" } else { path };
    if let Some(options) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
        && !options.iter().any(|option| check(option, value).is_empty())
    {
        findings.push(format!("{name} fits none of the allowed forms"));
        return;
    }
    if !type_fits(schema, value) {
        let wanted = schema.get("type").map(Value::to_string).unwrap_or_default().replace('"', "");
        findings.push(format!("{name} must be {wanted}"));
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let words: Vec<String> = allowed.iter().map(Value::to_string).collect();
        findings.push(format!("{name} must be one of {}", words.join(", ")));
    }
    if let (Some(number), Some(least)) = (value.as_f64(), schema.get("minimum").and_then(Value::as_f64))
        && number < least
    {
        findings.push(format!("{name} must be at least {least}"));
    }
    if let (Some(number), Some(least)) = (value.as_f64(), schema.get("exclusiveMinimum").and_then(Value::as_f64))
        && number <= least
    {
        findings.push(format!("{name} must be more than {least}"));
    }
    if let (Some(text), Some(least)) = (value.as_str(), schema.get("minLength").and_then(Value::as_u64))
        && (text.chars().count() as u64) < least
    {
        findings.push(format!("{name} must not be empty"));
    }
    if let Some(map) = value.as_object() {
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(key) {
                findings.push(format!("{} is required", joined(path, key)));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, value) in map {
            match properties.and_then(|known| known.get(key)) {
                Some(schema) => visit(schema, value, &joined(path, key), depth + 1, findings),
                None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                    findings.push(format!("{} is not known", joined(path, key)));
                }
                None => {}
            }
        }
    }
    if let (Some(list), Some(items)) = (value.as_array(), schema.get("items")) {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (list.len() as u64) < least {
            findings.push(format!("{name} needs at least {least} items"));
        }
        for (at, item) in list.iter().enumerate() {
            visit(items, item, &format!("{name}[{at}]"), depth + 1, findings);
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { format!("`{key}`") } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1},
                "edits": {"type": "array", "items": {"type": "object", "required": ["oldText"],
                    "properties": {"oldText": {"type": "string"}}}}
            },
            "required": ["path"]
        })
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let findings = check(&schema(), &json!({"limit": 0, "edits": [{}]}));
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(check(&schema(), &json!({"path": "a", "limit": 2})).is_empty());
        assert_eq!(check(&schema(), &json!({"path": 3})), ["`path` must be string"]);
    }

    #[test]
    fn nearly_right_arguments_are_repaired() {
        let repaired =
            coerce(&schema(), json!({"path": "a", "limit": "12", "edits": "[{\"oldText\": \"x\"}]", "extra": 1}));
        assert_eq!(repaired, json!({"path": "a", "limit": 12, "edits": [{"oldText": "x"}], "extra": 1}));
        assert_eq!(coerce(&schema(), json!({"path": "5"})), json!({"path": "5"}));
        assert_eq!(coerce(&schema(), json!({"path": "a", "limit": null})), json!({"path": "a"}));
    }
}
