//! What a reader who doesn't know the code is told about wrong documents.

use plimsoll::Problem;

const WRONG: &str = r#"{
 "pods": [
  {"name": "web", "requests": {"cpu": "2 cores", "memory": "3GB"}},
  {"name": "db-0", "resources": {"cpu": "1"}},
  {"name": "db-1", "resources": {"cpu": "1"}, "labels": {"zone": 3}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}
 ],
 "instanceTypes": [
  {"name": "t", "capacity": {"cpu": "1,5", "pods": "10"},
   "offerings": [{"zone": "a", "capacityType": "spot"}]}],
 "nodePools": [{"name": "p", "requirements": "spot"}]
}"#;

#[test]
fn each_fault_says_where_it_is_and_what_to_write() {
    let text = Problem::from_json(WRONG).unwrap_err().to_string();
    let expected = r#"the input is invalid (9 found)
  pods[0].requests[cpu] (default/web, line 3): "2 cores" is not a quantity; expected 2
  pods[0].requests[memory] (default/web, line 3): "3GB" is not a quantity; expected 3G (powers of 1000) or 3Gi (powers of 1024)
  pods[1].resources (default/db-0, line 4) and 1 more like it: an unknown field; expected requests?
  pods[2].labels[zone] (default/db-1, line 5): 3; expected a text, in quotes
  pods[3] (line 6): a Kubernetes object, kind "Pod" of "v1"; expected an object of this document's own form: Kubernetes' objects are converted first, by the example `convert` or by `k8s::Dump` (feature k8s)
  instanceTypes[0].capacity[cpu] (t, line 9): "1,5" is not a quantity; expected 1.5
  instanceTypes[0].offerings[0].price (t, line 10): missing; expected this field
  nodePools[0].requirements (p, line 11): "spot"; expected a list: ["spot"]"#;
    assert_eq!(text, expected);
}

#[test]
fn a_name_that_is_wrong_everywhere_is_told_once() {
    let pods: Vec<String> =
        (0..5000).map(|i| format!(r#"{{"name": "p{i}", "request": {{}}}}"#)).collect();
    let text =
        format!(r#"{{"pods": [{}], "instanceTypes": [], "nodePools": []}}"#, pods.join(",\n"));
    let error = Problem::from_json(&text).unwrap_err();
    assert_eq!(error.findings().len(), 5000);
    let last = error.findings().last().unwrap();
    assert_eq!((last.name.as_deref(), last.line), (Some("default/p4999"), Some(5000)));
    let told = error.to_string();
    let line = "pods[0].request (default/p0, line 1) and 4999 more like it";
    assert!(told.lines().count() == 2 && told.contains(line), "{told}");
}

#[test]
fn lines_are_those_of_the_text_whatever_it_holds() {
    let text = "{\"pods\": [{\"name\": \"a\\\"}]\",\n \"labels\": {\"\\u00e9.x\": \"v\",\n\"k\\\\\":\n 1}}],\n\
         \"instanceTypes\": [],\n\n\"nodePools\": [ ], \"pod\": {}}";
    let error = Problem::from_json(text).unwrap_err();
    let lines: Vec<(&str, Option<usize>)> =
        error.findings().iter().map(|fault| (fault.path.as_str(), fault.line)).collect();
    assert!(lines.contains(&("pods[0].labels[k\\]", Some(3))), "{lines:?}");
    assert!(lines.contains(&("pod", Some(7))), "{lines:?}");
}

#[test]
fn texts_that_are_no_json_and_marks_of_the_byte_order() {
    let error = Problem::from_json("pods:\n- name: web\n").unwrap_err().to_string();
    assert!(error.contains("other formats are read by their serde readers"), "{error}");
    let marked = "\u{feff}{\"pods\": [], \"instanceTypes\": [], \"nodePools\": []}";
    assert!(Problem::from_json(marked).is_ok());
    let list = Problem::from_json(r#"{"apiVersion": "v1", "kind": "List", "items": []}"#);
    let list = list.unwrap_err().to_string();
    assert!(list.contains(r#"a Kubernetes object, kind "List" of "v1""#), "{list}");
}

/// A small problem with this in place of a part of it, and what a reader is told in one line.
#[test]
fn habits_of_other_formats_are_told_what_to_write_here() {
    let right = r#"{"pods": [{"name": "web", "replicas": 1, "labels": {"v": "1"}}],
        "instanceTypes": [{"name": "t", "capacity": {"pods": "9"}, "offerings": []}],
        "nodePools": [{"name": "p", "taints": [], "requirements":
            [{"key": "k", "operator": "In", "values": ["a"]}], "expireAfter": "720h"}]}"#;
    assert!(Problem::from_json(right).is_ok());
    for (part, wrong, told) in [
        (
            r#""replicas": 1"#,
            r#""replicas": "3""#,
            r#""3" is a text; expected the number 3, without quotes"#,
        ),
        (r#""replicas": 1"#, r#""replicas": "-3""#, "a whole number from 0 to 4294967295"),
        (r#""replicas": 1"#, r#""doNotDisrupt": "true""#, "expected true, without quotes"),
        (r#""replicas": 1"#, r#""priority": " 007 ""#, "expected the number 7, without quotes"),
        (
            r#""offerings": []"#,
            r#""offerings": [{"zone": "a", "capacityType": "spot", "price": "0.1",
                "interruptionRate": "0.01"}]"#,
            r#""0.01" is a text; expected the number 0.01, without quotes"#,
        ),
        (r#"{"v": "1"}"#, r#"{"v": true}"#, "true; expected a text, in quotes"),
        (r#"["a"]"#, r#""spot""#, r#"expected a list: ["spot"]"#),
        (r#""In""#, r#""in""#, "expected In? (one of In, NotIn, "),
        (r#""720h""#, r#""30d""#, r#""30d" isn't a duration; expected a duration such as 720h"#),
        (
            r#""taints": []"#,
            r#""taints": ["gpu=true:NoSchedule"]"#,
            "expected a map with key, value, effect, timeAdded",
        ),
        (
            r#"{"name": "web", "replicas": 1, "labels": {"v": "1"}}"#,
            r#"{"metadata": {"name": "web"}, "spec": {}}"#,
            "pods[0] (line 1): a Kubernetes object, with metadata and spec; expected",
        ),
    ] {
        let text = right.replace(part, wrong);
        let error = Problem::from_json(&text).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(error.lines().count(), 2, "{error}");
    }
    for (text, told) in [
        ("", "line 1 column 0: an empty text; expected a JSON document"),
        (&right[..40], "the text ends here, within the document; expected the rest of it"),
        ("<html/>", "no JSON; expected a JSON document, from { to }: not YAML"),
        (
            r#"{"templates": [], "launches": [], "cost": {}}"#,
            "document: none of its fields is known (templates, launches, cost); expected a map \
             with pods, instanceTypes, nodePools, nodes",
        ),
    ] {
        let error = Problem::from_json(text).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(error.lines().count(), 2, "{error}");
    }
}

#[test]
fn a_flood_of_different_faults_is_cut() {
    let pods = (0..500).map(|i| format!(r#"{{"name": "p{i}", "replicas": "{i} of them"}}"#));
    let pods: Vec<String> = pods.collect();
    let text = format!(r#"{{"pods": [{}], "instanceTypes": [], "nodePools": []}}"#, pods.join(","));
    let error = Problem::from_json(&text).unwrap_err();
    assert_eq!(error.findings().len(), 500);
    let told = error.to_string();
    assert_eq!(told.lines().count(), 52, "{told}");
    assert!(told.ends_with("and 450 more, which `Error::findings` has"), "{told}");
}
