/** Set-up, confirmation and tear-down between three nodes, sentence by sentence of RFC 2205. */
import { describe, expect, it } from "vitest";
import { A, B, load, type Network, open, reserve, SESSION, threeNodes, tspec } from "./network.js";

const settled = (rate = 1000): Network => {
  const network = threeNodes();
  open(network, rate);
  network.run(100);
  reserve(network, rate, true);
  network.run(100);
  return network;
};

describe("Path (RFC 2205 §3.1.3)", () => {
  it("goes from the sender's address to the session's, with Router Alert, and is state at every node", () => {
    const network = threeNodes();
    open(network, 1000);
    network.run(100);
    const paths = network.sent.filter(({ action }) => action.message.kind === "Path");
    expect(paths.map(({ from }) => from)).toEqual(["A", "T"]);
    for (const { action } of paths) {
      expect(action).toMatchObject({ destination: B, source: A, routerAlert: true });
    }
    for (const name of ["A", "T", "B"]) expect(network.host(name).node.session(SESSION)?.paths.size).toBe(1);
    expect(network.notices("B")).toMatchObject([{ what: "pathArrived", sender: { tspec: tspec(1000) } }]);
  });

  it("names the node and interface that sent it last as previous hop", () => {
    const network = threeNodes();
    open(network, 1000);
    network.run(100);
    const hops = network.sent.map(({ action }) => (action.message.kind === "Path" ? action.message.hop : undefined));
    expect(hops).toEqual([
      { address: A, lih: 1 },
      { address: "10.0.2.254", lih: 2 },
    ]);
  });

  it("counts its TTL down, and does not go on at the end of it", () => {
    const network = threeNodes();
    const path = {
      kind: "Path" as const,
      session: SESSION,
      hop: { address: A, lih: 7 },
      refreshPeriod: 30_000 as never,
      policy: [],
      sender: { template: { address: A }, tspec: tspec(1) },
      unknown: [],
    };
    const arrival = { interface: "A", source: A, ttl: 1, sendTtl: 1 };
    network.event("T", { type: "received", message: path, arrival });
    network.run(1000);
    expect(network.sent).toEqual([]);
    network.event("T", { type: "received", message: path, arrival: { ...arrival, ttl: 9, sendTtl: 9 } });
    network.run(1000);
    expect(network.sent.map(({ action }) => action.ttl)).toEqual([8]);
  });

  it("that changes is forwarded at once, that repeats is not (§3.3)", () => {
    const network = settled();
    const before = network.now;
    open(network, 1000);
    network.run(100);
    expect(network.kinds("A", before)).toEqual([]);
    open(network, 2000);
    network.run(100);
    expect([...network.kinds("A", before), ...network.kinds("T", before)]).toEqual(["Path", "Path"]);
  });

  it("without a route is kept, and goes on when there is one (§3.11.4)", () => {
    const network = threeNodes();
    network.host("T").routes.delete(B);
    open(network, 1000);
    network.run(100);
    expect(network.kinds("T")).toEqual([]);
    network.route("T", B, "B");
    network.run(2100);
    expect(network.kinds("T")).toEqual(["Path"]);
  });
});

describe("Resv (RFC 2205 §3.1.4)", () => {
  it("goes hop by hop to the previous hop with the LIH of its Path, without Router Alert", () => {
    const network = settled();
    const resvs = network.sent.filter(({ action }) => action.message.kind === "Resv");
    expect(resvs.map(({ from, action }) => [from, action.destination, action.routerAlert])).toEqual([
      ["B", "10.0.2.254", false],
      ["T", A, false],
    ]);
    expect(resvs.map(({ action }) => (action.message.kind === "Resv" ? action.message.hop.lih : 0))).toEqual([2, 1]);
  });

  it("is admitted on every link in the direction of the data before it goes on", () => {
    const network = settled();
    expect([network.admitted("A", "T"), network.admitted("T", "B")]).toEqual([1000, 1000]);
    expect(network.host("A").node.reserved("T")).toBe(1000);
    expect(network.notices("A")).toEqual([
      { what: "reserved", flows: { style: "FF", flows: [{ filter: { address: A }, flowspec: load(1000) }] } },
    ]);
  });

  it("is confirmed to the receiver by the node where it ends (§3.1.9)", () => {
    const network = settled();
    expect(network.notices("B").map(({ what }) => what)).toEqual(["pathArrived", "confirmed"]);
    const conf = network.sent.find(({ action }) => action.message.kind === "ResvConf");
    expect(conf).toMatchObject({
      from: "A",
      action: { destination: B, routerAlert: true, message: { error: { node: A, code: 0, value: 0 } } },
    });
  });

  it("asks for a confirmation again if it gets the same request with one", () => {
    const network = settled();
    reserve(network, 1000, true);
    network.run(100);
    expect(network.notices("B").filter(({ what }) => what === "confirmed")).toHaveLength(2);
  });

  it("of more than the senders send installs what they send (RFC 2210 §2.2)", () => {
    const network = threeNodes();
    open(network, 1000);
    network.run(100);
    reserve(network, 5000);
    network.run(100);
    expect([network.admitted("A", "T"), network.admitted("T", "B")]).toEqual([1000, 1000]);
    open(network, 3000);
    network.run(100);
    expect([network.admitted("A", "T"), network.admitted("T", "B")]).toEqual([3000, 3000]);
  });

  it("without path state is answered with error 3, of an unknown sender with error 4 (§B)", () => {
    const network = threeNodes();
    reserve(network, 1000);
    network.run(10);
    expect(network.notices("B")).toMatchObject([{ what: "refused", error: { code: 3 } }]);
    open(network, 1000);
    network.run(100);
    network.event("B", {
      type: "reserve",
      session: SESSION,
      flows: { style: "FF", flows: [{ filter: { address: "10.9.9.9" }, flowspec: load(1) }] },
    });
    expect(network.notices("B").at(-1)).toMatchObject({ what: "refused", error: { code: 4 } });
  });

  it("without path state at a router is answered with error 3 to its next hop, and leaves nothing", () => {
    const network = threeNodes();
    const arrival = { interface: "B", source: B, ttl: 64, sendTtl: 64 };
    const message = {
      kind: "Resv" as const,
      session: SESSION,
      hop: { address: B, lih: 2 },
      refreshPeriod: 30_000 as never,
      policy: [],
      flows: { style: "WF" as const, flowspec: load(1) },
      unknown: [],
    };
    network.event("T", { type: "received", message, arrival });
    expect(network.sent).toMatchObject([
      { from: "T", action: { destination: B, message: { kind: "ResvErr", error: { code: 3 } } } },
    ]);
    expect([...network.host("T").node.sessions()]).toEqual([]);
  });
});

describe("tear-down (RFC 2205 §3.1.5, §3.1.6)", () => {
  const nothingLeft = (network: Network): void => {
    for (const [name, host] of network.hosts) {
      expect([...host.node.sessions()], name).toEqual([]);
      expect(host.installed.size, name).toBe(0);
      expect(host.due, name).toBe(Number.POSITIVE_INFINITY);
    }
  };

  it("by the sender removes everything, without a Resv, ResvTear or ResvErr", () => {
    const network = settled();
    const before = network.now;
    network.event("A", { type: "close", session: SESSION, template: { address: A } });
    network.run(100);
    nothingLeft(network);
    expect(["A", "T", "B"].map((name) => network.kinds(name, before))).toEqual([["PathTear"], ["PathTear"], []]);
    expect(network.notices("B").at(-1)).toEqual({ what: "pathLost", template: { address: A } });
  });

  it("by the receiver releases the links and leaves the path", () => {
    const network = settled();
    const before = network.now;
    network.event("B", { type: "release", session: SESSION });
    network.run(100);
    expect(["B", "T", "A"].map((name) => network.kinds(name, before))).toEqual([["ResvTear"], ["ResvTear"], []]);
    expect([network.admitted("A", "T"), network.admitted("T", "B")]).toEqual([0, 0]);
    expect(network.notices("A").at(-1)).toMatchObject({ what: "unreserved" });
    expect(network.host("T").node.session(SESSION)?.paths.size).toBe(1);
  });

  it("by a PathTear of another previous hop is discarded", () => {
    const network = settled();
    const before = network.now;
    network.event("T", {
      type: "received",
      arrival: { interface: "A", source: A, ttl: 64, sendTtl: 64 },
      message: {
        kind: "PathTear",
        session: SESSION,
        hop: { address: "10.0.1.77", lih: 1 },
        template: { address: A },
        unknown: [],
      },
    });
    network.run(100);
    expect(network.kinds("T", before)).toEqual([]);
    expect(network.host("T").node.session(SESSION)?.paths.size).toBe(1);
  });
});
