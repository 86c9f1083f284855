"use strict";
(() => {
  const nodes = JSON.parse(document.getElementById("data").textContent);
  const detail = document.getElementById("detail");
  const add = (parent, name, text) => {
    const child = document.createElement(name);
    if (text !== undefined) child.textContent = text;
    parent.append(child);
    return child;
  };
  const show = (place) => {
    const node = nodes[Number(place.dataset.node)];
    detail.replaceChildren();
    add(detail, "h3", node.name);
    add(detail, "p", `${node.is}, node pool ${node.pool || "none"}, ${node.price} an hour`);
    const table = add(detail, "table");
    const head = add(add(table, "thead"), "tr");
    ["", "requested", "allocatable", "free", "daemons", ""].forEach((word) => add(head, "th", word));
    const body = add(table, "tbody");
    for (const resource of node.resources) {
      const row = add(body, "tr");
      resource.forEach((text, at) => {
        add(row, "td", text).className = at ? "number" : "";
      });
    }
    const all = node.pods.reduce((sum, pod) => sum + pod[1], 0);
    const few = node.pods.slice(0, 12).map(([name, count]) => (count > 1 ? `${name} ×${count}` : name));
    const more = node.pods.length > 12 ? `, and ${node.pods.length - 12} more` : "";
    add(detail, "p", `${all} pods: ${few.join(", ")}${more}`);
    detail.hidden = false;
  };
  const places = (map) => Array.from(map.querySelectorAll(".node"));
  const go = (map, place) => {
    places(map).forEach((one) => one.setAttribute("tabindex", one === place ? "0" : "-1"));
    place.focus();
  };
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  for (const map of document.querySelectorAll(".map")) {
    map.addEventListener("focusin", (event) => {
      if (event.target.dataset.node) show(event.target);
    });
    map.addEventListener("mouseover", (event) => {
      if (event.target.dataset.node) show(event.target);
    });
    map.addEventListener("click", (event) => {
      if (event.target.dataset.node) go(map, event.target);
    });
    map.addEventListener("keydown", (event) => {
      const all = places(map);
      const at = all.indexOf(document.activeElement);
      if (event.key === "Escape") {
        detail.hidden = true;
      } else if (at >= 0 && step[event.key]) {
        event.preventDefault();
        go(map, all[(at + step[event.key] + all.length) % all.length]);
      } else if (at >= 0 && (event.key === "Home" || event.key === "End")) {
        event.preventDefault();
        go(map, all[event.key === "Home" ? 0 : all.length - 1]);
      }
    });
  }
  // page.html#node-3 shows a node.
  const wanted = /^#node-([0-9]+)$/.exec(location.hash);
  if (wanted) {
    const same = Array.from(document.querySelectorAll(`[data-node="${wanted[1]}"]`));
    same.slice(0, 1).forEach(show);
  }
  document.documentElement.dataset.nodes = String(nodes.length);
})();
