/** The kernel's own counters, by class of each router's interfaces. */
import type { ApiClient } from "../api/client.js";
import type { KernelView, WatchedState } from "../api/types.js";
import { button, el, fill, setText, table } from "../dom/element.js";
import { formatOctets, formatRate, formatTime } from "../dom/format.js";
import { section } from "./section.js";

const HEADS = ["Interface", "Kind", "Pool", "Rate", "Packets", "Octets", "Dropped", "Backlog"];

/** Read when the routers are known, and again when that is asked for. */
export function kernelSection(api: ApiClient) {
  const place = el("div");
  const status = el("p", { class: "quiet", role: "status" });
  let routers: readonly string[] = [];
  const read = async (): Promise<void> => {
    const tables = await Promise.all(routers.map((host) => tableOf(api, host)));
    fill(place, ...tables);
    setText(status, `Read at ${formatTime(Date.now())}.`);
  };
  return {
    element: section("kernel-title", "Kernel counters", status, button("Read again", read), place),
    show: (hosts: readonly WatchedState[]): void => {
      const next = hosts.filter(({ role }) => role === "router").map(({ host }) => host);
      if (next.join(" ") === routers.join(" ")) return;
      routers = next;
      void read();
    },
  };
}

async function tableOf(api: ApiClient, host: string): Promise<HTMLElement> {
  try {
    const { classes, flows, structure } = await api.show<KernelView>(host, "kernel");
    const rows = classes.map(({ interface: name, kind, pool, rate, sent, dropped, backlog }) => [
      name,
      kind,
      pool ?? "–",
      formatRate(rate),
      String(sent.packets),
      formatOctets(sent.octets),
      String(dropped),
      formatOctets(backlog),
    ]);
    return table(`${host}: ${flows} flows, ${structure ? "as it should be" : "not as it should be"}`, HEADS, rows);
  } catch (error) {
    return el("p", { class: "error" }, `${host}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
