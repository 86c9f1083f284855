//! Options of a consolidation in documents.
//!
//! Only what differs from the defaults is written.

use super::read::{Cursor, billionths, boolean, price, whole};
use super::value::Value;
use super::write::{self, Object};
use crate::model::ConsolidationOptions;

const SHARE: &str = "a number from 0 to 1: the share to be saved";

pub(crate) fn read_consolidation_options(cursor: Cursor<'_>) -> Option<ConsolidationOptions> {
    let mut fields = cursor.object(&[
        "maxMoves",
        "movePrice",
        "barePodsMove",
        "minimumSaving",
        "minimumSavingPerAction",
        "minimumSavingPerMove",
        "spotFlexibility",
        "now",
        "maxSurge",
        "heldBack",
    ]);
    let default = ConsolidationOptions::default();
    let share = fields.optional("minimumSaving", |cursor| billionths(cursor, SHARE));
    Some(ConsolidationOptions {
        max_moves: fields.optional("maxMoves", whole),
        move_price: fields.optional("movePrice", price).unwrap_or(default.move_price),
        bare_pods_move: fields.optional("barePodsMove", boolean).unwrap_or(default.bare_pods_move),
        minimum_saving: share.unwrap_or(default.minimum_saving),
        minimum_saving_per_action: fields
            .optional("minimumSavingPerAction", price)
            .unwrap_or(default.minimum_saving_per_action),
        minimum_saving_per_move: fields
            .optional("minimumSavingPerMove", price)
            .unwrap_or(default.minimum_saving_per_move),
        spot_flexibility: fields
            .optional("spotFlexibility", whole)
            .unwrap_or(default.spot_flexibility),
        now: fields.optional("now", whole),
        max_surge: fields.optional("maxSurge", whole),
        held_back: fields.optional("heldBack", boolean).unwrap_or(default.held_back),
    })
}

pub(crate) fn write_consolidation_options(options: &ConsolidationOptions) -> Value<'_> {
    let default = ConsolidationOptions::default();
    let share = options.minimum_saving;
    Object::new()
        .option("maxMoves", options.max_moves)
        .unless("movePrice", default.move_price, options.move_price)
        .unless("barePodsMove", default.bare_pods_move, options.bare_pods_move)
        .option(
            "minimumSaving",
            (share != default.minimum_saving).then(|| write::billionths(share.into())),
        )
        .unless(
            "minimumSavingPerAction",
            default.minimum_saving_per_action,
            options.minimum_saving_per_action,
        )
        .unless(
            "minimumSavingPerMove",
            default.minimum_saving_per_move,
            options.minimum_saving_per_move,
        )
        .unless("spotFlexibility", default.spot_flexibility, options.spot_flexibility)
        .option("now", options.now)
        .option("maxSurge", options.max_surge)
        .unless("heldBack", default.held_back, options.held_back)
        .into()
}
