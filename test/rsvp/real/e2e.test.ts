/** End-to-end RSVP through an aggregate between real network namespaces: h1 - r1 - t - r2 - h2, seen on the link r1 - t. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Notice } from "../../../src/rsvp/machine/events.js";
import { inOwnNamespace, run } from "../../kernel/real/namespace.js";
import { until } from "../../lab/support/until.js";
import { compileSource } from "../../store/compile.js";
import { load, tspec } from "../machine/network.js";

/** The network of each link, the first end is 1 and the second 2. */
const LINKS = [
  ["h1", "r1", 1],
  ["r1", "t", 2],
  ["t", "r2", 3],
  ["r2", "h2", 4],
] as const;
/** RFC 3175 §1.4.9, the values of IANA for IPv6: 3 is nesting level 0. Linux knows no level with IPv4. */
const LEVEL_1 = 4;
const NODES = ["h1", "r1", "t", "r2", "h2"] as const;
type Name = (typeof NODES)[number];
type Family = "v4" | "v6";

const prefix = (family: Family, net: number): string => (family === "v4" ? `10.9.${net}.` : `2001:db8:${net}::`);
const at = (family: Family, net: number, end: 1 | 2): string => `${prefix(family, net)}${end}`;

const inside = (name: Name, ...command: readonly string[]): Promise<string> =>
  run("ip", "netns", "exec", name, ...command);

/** Each interface is named after the other end of its link. */
async function build(): Promise<void> {
  for (const name of NODES) await run("ip", "netns", "add", name);
  for (const [one, other, net] of LINKS) {
    const peer = ["peer", "name", one, "netns", other];
    await run("ip", "link", "add", "name", other, "netns", one, "type", "veth", ...peer);
    await configure(one, other, net, 1);
    await configure(other, one, net, 2);
  }
  const ways: readonly (readonly [name: Name, to: number | "default", net: number, end: 1 | 2])[] = [
    ["h1", "default", 1, 2],
    ["r1", "default", 2, 2],
    ["t", 1, 2, 1],
    ["t", 4, 3, 2],
    ["r2", "default", 3, 1],
    ["h2", "default", 4, 1],
  ];
  for (const [name, to, net, end] of ways) {
    const [v4, v6] = to === "default" ? [to, to] : [`${prefix("v4", to)}0/24`, `${prefix("v6", to)}/64`];
    await inside(name, "ip", "route", "add", v4, "via", at("v4", net, end));
    await inside(name, "ip", "-6", "route", "add", v6, "via", at("v6", net, end));
  }
  const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
  for (const name of ["r1", "t", "r2"] as const) await inside(name, "sh", "-c", forward);
}

async function configure(name: Name, device: Name, net: number, end: 1 | 2): Promise<void> {
  await inside(name, "ip", "addr", "add", `${at("v4", net, end)}/24`, "dev", device);
  await inside(name, "ip", "addr", "add", `${at("v6", net, end)}/64`, "dev", device, "nodad");
  await inside(name, "ip", "link", "set", "dev", device, "up");
}

inOwnNamespace(import.meta.url, () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-rsvp-e2e-"));
  let dist = "";
  let epoch = 1;
  const nodes = new Map<Name, Node>();

  class Node {
    readonly notices: Notice[] = [];
    ready = "";
    sessions: readonly string[] | undefined;
    readonly #child: ChildProcess;

    constructor(name: Name, options: object) {
      const program = fileURLToPath(new URL("e2e-node.mjs", import.meta.url));
      const command = [process.execPath, program, dist, JSON.stringify(options)];
      this.#child = spawn("ip", ["netns", "exec", name, ...command], { stdio: ["pipe", "pipe", "inherit"] });
      createInterface({ input: this.#child.stdout! }).on("line", (line) => {
        const said = JSON.parse(line) as { ready?: string; notice?: Notice; sessions?: readonly string[] };
        if (said.ready !== undefined) this.ready = said.ready;
        if (said.notice !== undefined) this.notices.push(said.notice);
        if (said.sessions !== undefined) this.sessions = said.sessions;
      });
    }

    say(what: object): void {
      this.#child.stdin?.write(`${JSON.stringify(what)}\n`);
    }

    told(what: Notice["what"]): boolean {
      return this.notices.some((notice) => notice.what === what);
    }

    async close(): Promise<void> {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill();
      if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    }
  }

  async function start(family: Family): Promise<void> {
    const own = (name: Name): (readonly [string, string])[] =>
      LINKS.flatMap(([one, other, net]): (readonly [string, string])[] => {
        if (one === name) return [[other, at(family, net, 1)]];
        return other === name ? [[one, at(family, net, 2)]] : [];
      });
    const way = (net: number, device: string): readonly [string, string] => [prefix(family, net), device];
    const ways: Readonly<Record<Name, readonly (readonly [string, string])[]>> = {
      h1: [["", "r1"]],
      r1: [way(1, "h1"), ["", "t"]],
      t: [way(1, "r1"), way(2, "r1"), ["", "r2"]],
      r2: [way(4, "h2"), ["", "t"]],
      h2: [["", "r2"]],
    };
    const edges = {
      r1: { address: at(family, 1, 2), exterior: "h1" },
      r2: { address: at(family, 4, 1), exterior: "h2" },
    };
    for (const name of NODES) {
      const edge = name === "r1" || name === "r2" ? edges[name] : {};
      nodes.set(name, new Node(name, { ...edge, interfaces: own(name), ways: ways[name], epoch: epoch++ }));
    }
    await until("all nodes", () => [...nodes.values()].every(({ ready }) => ready === "raw"));
  }

  beforeAll(async () => {
    dist = compileSource(folder, ["model", "rsvp", "pep", "kernel", "cops"]);
    await build();
  });
  afterEach(async () => {
    await Promise.all([...nodes.values()].map((node) => node.close()));
    nodes.clear();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  describe("end-to-end RSVP", () => {
    for (const family of ["v4", "v6"] as const) {
      it(`${family}: is reserved from host to host, hidden from the router between the edges`, async () => {
        const capture = join(folder, `${family}.pcap`);
        const tcpdump = execa(
          "ip",
          ["netns", "exec", "t", "tcpdump", "-i", "r1", "-w", capture, "-U", "--immediate-mode"],
          {
            reject: false,
          },
        );
        let said = "";
        tcpdump.stderr?.on("data", (text) => {
          said += String(text);
        });
        await until("tcpdump to listen", () => said.includes("listening on"));
        await start(family);
        const [sender, receiver] = [at(family, 1, 1), at(family, 4, 2)];
        const session = { kind: "ip", destination: receiver, protocol: 17, port: 5004, ePolice: false };
        const template = { address: sender, port: 4000 };
        const [h1, h2, t] = [nodes.get("h1")!, nodes.get("h2")!, nodes.get("t")!];
        h1.say({ tell: { type: "open", session, sender: { template, tspec: tspec(10_000) } } });
        await until("the Path at h2", () => h2.told("pathArrived"));
        const flows = { style: "FF", flows: [{ filter: template, flowspec: load(10_000) }] };
        h2.say({ tell: { type: "reserve", session, flows, confirm: receiver } });
        await until("the reservation at h1", () => h1.told("reserved"));
        await until("the confirmation at h2", () => h2.told("confirmed"));
        expect(h2.told("refused")).toBe(false);
        t.say({ sessions: true });
        await until("the sessions of t", () => t.sessions !== undefined);
        expect(t.sessions).toEqual(["aggregate"]);
        h1.say({ tell: { type: "close", session, template } });
        await until("the end at h2", () => h2.told("pathLost"));
        tcpdump.kill("SIGINT");
        await tcpdump;
        await expectHidden(capture, family, receiver);
      });
    }
  });

  async function expectHidden(capture: string, family: Family, receiver: string): Promise<void> {
    const hidden = family === "v4" ? "ip.proto == 134" : "ipv6.hopopts.nxt == 134";
    const fields = ["rsvp.msg", "ip.opt.ra", "ipv6.opt.router_alert", "ip.dst", "ipv6.dst"];
    // tshark reads RSVP-E2E-IGNORE by itself: what follows the IP header is RSVP.
    const { stdout } = await execa("tshark", [
      ...["-r", capture, "-n", "-Y", hidden, "-T", "fields", "-E", "separator=;"],
      ...fields.flatMap((field) => ["-e", field]),
    ]);
    const lines = new Set(stdout.split("\n"));
    const line = (kind: number): string =>
      family === "v4" ? `${kind};0;;${receiver};` : `${kind};;${LEVEL_1};;${receiver}`;
    // Path, PathTear, ResvConf; nothing else (RFC 3175 §3.1), but for summaries that refresh them (RFC 2961 §5).
    for (const kind of [1, 5, 7]) expect(lines).toContain(line(kind));
    for (const each of lines) expect([1, 5, 7, 15].map(line)).toContain(each);
    const { stdout: open } = await execa("tshark", [
      ...["-r", capture, "-n", "-Y", `(rsvp.msg == 1 || rsvp.msg == 5 || rsvp.msg == 7) && !(${hidden})`],
      ...["-T", "fields", "-E", "separator=;", "-e", "ip.dst", "-e", "ipv6.dst"],
    ]);
    // What t reads of a way downstream is for the deaggregator: that of the aggregate.
    const deaggregator = at(family, 4, 1);
    expect(new Set(open.split("\n"))).toEqual(new Set([family === "v4" ? `${deaggregator};` : `;${deaggregator}`]));
    // tshark has no reading of IPv6 aggregates, whose sessions it calls "Type 10".
    const readable = family === "v4" ? "rsvp" : hidden;
    const { stdout: faults } = await execa("tshark", [
      ...["-r", capture, "-n", "-Y", `${readable} && (_ws.malformed || _ws.expert.severity >= "Warning")`],
    ]);
    expect(faults).toBe("");
  }
});
