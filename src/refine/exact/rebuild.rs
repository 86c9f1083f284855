//! From nodes and what each holds of which claims to a packing.
//!
//! The classes of the packing are kept: each says to which domains its pods may go, so that what is packed
//! of them keeps the rules between pods whatever the nodes are. Where a division wants pods in other
//! domains nothing comes of it.

use super::places::{Item, Sites};
use crate::compile::{ClassId, Compiled, Id, IdVec, OfferId};
use crate::pack::{
    Context, Group, Node, Packed, Place, Room, State, honours_no_less, right_size, room_of,
    seat_guests,
};

/// The packing of these nodes, where it keeps all that the present one does and is cheaper.
pub(super) fn cheaper(
    context: &Context<'_, '_>,
    packed: &Packed<'_>,
    (items, sites): (&[Item], &Sites),
    held: &[(usize, Vec<u32>)],
) -> Option<State> {
    let inner = Context { compiled: packed.compiled(context.compiled), ..*context };
    let compiled = inner.compiled;
    let former = &packed.state;
    let mut state = State::new(compiled);
    let mut left = placed(compiled, former)?;
    for (place, vector) in held {
        let place = &sites.places[*place];
        let column = match place.node {
            Some(_) => None,
            None => Some(column(compiled, OfferId::from_index(place.site))?),
        };
        let room: Room<'_> = match (place.node, column) {
            (Some(node), _) => room_of(&inner, node),
            (None, column) => inner.room(column?),
        };
        let mut node = Node::new(&inner, &room, &[], &left);
        for (item, count) in items.iter().zip(vector) {
            put(&inner, &room, &mut node, item, *count)?;
        }
        let filling = node.finish();
        for (class, count) in &filling.items {
            left[*class] -= count;
        }
        let target = match (place.node, column) {
            (Some(node), _) => {
                state.idle.retain(|idle| *idle != node);
                Place::Running(vec![node])
            }
            (None, column) => Place::Launch(column?),
        };
        state.add(
            compiled,
            Group { place: target, items: filling.items, load: filling.load, times: 1 },
        );
    }
    right_size(&inner, &mut state);
    seat_guests(&inner, &mut state);
    let keeps = state.keeps_weights(compiled)
        && !state.overdraws(compiled)
        && state.unplaced(compiled) <= former.unplaced(compiled)
        && state.cost(&inner) < former.cost(&inner)
        && honours_no_less(&inner, &state, former);
    keeps.then_some(state)
}

/// How many pods of each class are placed; `None` where one is several pods.
fn placed(compiled: &Compiled<'_>, state: &State) -> Option<IdVec<ClassId, u32>> {
    let mut placed: IdVec<ClassId, u32> = compiled.classes.iter().map(|_| 0).collect();
    for group in &state.groups {
        for (class, count) in &group.items {
            let single = matches!(compiled.classes[*class].parts[..], [(_, 1)]);
            if !single {
                return None;
            }
            placed[*class] += count * group.times;
        }
    }
    Some(placed)
}

/// Puts so many pods of an item onto a node, of the classes first that can go to the fewest sites.
fn put(
    context: &Context<'_, '_>,
    room: &Room<'_>,
    node: &mut Node<'_>,
    item: &Item,
    mut count: u32,
) -> Option<()> {
    let compiled = context.compiled;
    let of_kind =
        compiled.classes.iter().filter(|(_, class)| class.parts.first() == Some(&(item.kind, 1)));
    let mut classes: Vec<(usize, ClassId)> =
        of_kind.map(|(id, class)| (compiled.rows[class.row].count(), id)).collect();
    classes.sort_unstable();
    for (_, class) in classes {
        if count > 0 && room.admits(context.class(class).row) {
            let taken = node.takes(class).min(count);
            if taken > 0 {
                node.put(class, taken, 0);
                count -= taken;
            }
        }
    }
    (count == 0).then_some(())
}

/// The column of an offer, or the one that is taken in its place.
fn column(compiled: &Compiled<'_>, offer: OfferId) -> Option<usize> {
    let has = |offers: &[OfferId]| offers.contains(&offer);
    compiled.columns.iter().position(|column| has(&column.offers) || has(&column.dominated))
}
