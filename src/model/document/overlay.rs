//! Price overlays in documents: a list beside the problem.

use super::read::{Cursor, list, number_text, text};
use super::selector::{read_requirement, write_requirement};
use super::value::Value;
use super::write::{self, Object};
use super::{parse, to_text};
use crate::error::Error;
use crate::model::fault::{Faults, Path, quoted};
use crate::model::overlay::OVERLAYS;
use crate::model::{Price, PriceChange, PriceOverlay, validate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const PRICE: &str = "a number that isn't negative, at most 100000 per node and hour";
const ADJUSTMENT: &str = "a text such as \"+10%\", \"-15%\", \"+0.05\" or \"-2.5\"";

impl PriceOverlay {
    /// Reads a list of overlays in JSON: `name`, `requirements`, and `price` or `priceAdjustment`.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field, such as
    /// `overlays[0].priceAdjustment`; for text that isn't JSON, the line and the column.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::PriceOverlay;
    ///
    /// let text = r#"[
    ///     {"name": "discount", "priceAdjustment": "-28%", "requirements": [
    ///         {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]},
    ///     {"name": "licence", "priceAdjustment": "+0.01"}]"#;
    /// let overlays = PriceOverlay::list_from_json(text)?;
    /// assert_eq!(overlays[1].change().to_string(), "+0.01");
    ///
    /// let error = PriceOverlay::list_from_json(&text.replace("-28%", "28%")).unwrap_err();
    /// assert_eq!(error.findings()[0].path, "overlays[0].priceAdjustment");
    /// assert_eq!(error.findings()[0].problem, "\"28%\" is a percentage without a sign");
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn list_from_json(text: &str) -> Result<Vec<Self>, Error> {
        let document = parse(text)?;
        let mut faults = Faults::default();
        let path = Path::Root.field(OVERLAYS);
        let root = Cursor { value: &document, path: &path, faults: &mut faults };
        let overlays = list(root, read_overlay).unwrap_or_default();
        faults.end_of_reading();
        validate::overlays(&overlays, &mut faults);
        faults.into_result(&[OVERLAYS])?;
        Ok(overlays)
    }

    /// The list as a JSON document; it reads back as the same list.
    #[must_use]
    pub fn list_to_json(overlays: &[Self]) -> String {
        to_text(&write::list(overlays, write_overlay))
    }
}

impl<'d> Deserialize<'d> for PriceOverlay {
    /// Reads one overlay in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_one(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for PriceOverlay {
    /// Writes the overlay, defaults left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_overlay(self).serialize(serializer)
    }
}

fn read_one(document: &Value<'_>) -> Result<PriceOverlay, Error> {
    let mut faults = Faults::default();
    let root = Cursor { value: document, path: &Path::Root, faults: &mut faults };
    let overlay = read_overlay(root);
    faults.end_of_reading();
    if let Some(overlay) = &overlay {
        validate::overlay(overlay, &Path::Root, &mut faults);
    }
    faults.into_result(&[])?;
    overlay.ok_or_else(|| Error::internal("an overlay without faults can't be read"))
}

fn read_overlay(cursor: Cursor<'_>) -> Option<PriceOverlay> {
    let mut fields = cursor.object(&["name", "requirements", "price", "priceAdjustment"]);
    let name = fields.required("name", text).unwrap_or_default();
    let requirements = fields.list("requirements", read_requirement);
    if fields.has("price") && fields.has("priceAdjustment") {
        fields.fault("priceAdjustment", "given beside price", "one of the two");
    } else if !fields.has("price") && !fields.has("priceAdjustment") {
        fields.fault("price", "missing", "this field, or priceAdjustment");
    }
    let price = fields.optional("price", read_price);
    let change = price.or(fields.optional("priceAdjustment", read_adjustment));
    Some(PriceOverlay {
        name,
        requirements,
        change: change.unwrap_or(PriceChange::Set(Price::ZERO)),
    })
}

/// A price without a sign.
fn read_price(cursor: Cursor<'_>) -> Option<PriceChange> {
    let Some(text) = number_text(&cursor) else { return cursor.wrong(PRICE) };
    match text.parse() {
        Ok(change @ PriceChange::Set(_)) => Some(change),
        Ok(_) => cursor.wrong(PRICE),
        Err(error) => cursor.fault(format!("{} is {error}", quoted(&text)), PRICE),
    }
}

/// An amount or a percentage with its sign, which a number of the document couldn't keep.
fn read_adjustment(cursor: Cursor<'_>) -> Option<PriceChange> {
    let Value::Text(text) = cursor.value else { return cursor.wrong(ADJUSTMENT) };
    match text.parse() {
        Ok(PriceChange::Set(_)) => {
            cursor.fault(format!("{} has no sign", quoted(text)), ADJUSTMENT)
        }
        Ok(change) => Some(change),
        Err(error) => cursor.fault(format!("{} is {error}", quoted(text)), ADJUSTMENT),
    }
}

fn write_overlay(overlay: &PriceOverlay) -> Value<'_> {
    Object::new()
        .field("name", &overlay.name)
        .unless_empty("requirements", write::list(&overlay.requirements, write_requirement))
        .field(overlay.field(), Value::Text(overlay.change.to_string().into()))
        .into()
}
