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
  pods[2].labels[zone] (default/db-1, line 5): 3; expected a text
  pods[3] (line 6): a Kubernetes object, kind "Pod" of "v1"; expected an object of this document's own form: Kubernetes' objects are converted first, by the example `convert` or by `k8s::Dump` (feature k8s)
  instanceTypes[0].capacity[cpu] (t, line 9): "1,5" is not a quantity; expected 1.5
  instanceTypes[0].offerings[0].price (t, line 10): missing; expected this field
  nodePools[0].requirements (p, line 11): "spot"; expected a list"#;
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
