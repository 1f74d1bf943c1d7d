import { describe, expect, it } from "vitest";
import { addFouPort, deleteFouPort, type FouPort, fouPortOf, sameFouPort } from "../../../src/kernel/link/fou-port.js";
import { fouPortFrom } from "../../../src/kernel/link/observed.js";
import { TUNNEL_KINDS } from "../../../src/model/tunnel.js";
import { tunnel } from "./samples.js";

const PORT: FouPort = { family: 4, port: 6087, local: "10.2.0.1", peer: "10.2.0.2", peerPort: 50_070 };

describe("a port that receives IP in UDP", () => {
  it("is there for fou and gue, and hears the far end alone", () => {
    expect(TUNNEL_KINDS.filter((kind) => fouPortOf(tunnel(kind)) !== undefined)).toEqual(["fou", "gue"]);
    expect([fouPortOf(tunnel("fou")), fouPortOf(tunnel("gue"))]).toEqual([PORT, PORT]);
    expect(addFouPort(PORT)).toBe("fou add port 6087 gue local 10.2.0.1 peer 10.2.0.2 peer_port 50070");
    expect(deleteFouPort(PORT)).toBe("fou del port 6087 local 10.2.0.1 peer 10.2.0.2 peer_port 50070");
    expect(fouPortOf(tunnel("gue", 6))?.family).toBe(6);
  });

  // As iproute2 6.1 told it on Linux 6.1.
  it("is read back; others' that hear everybody, or know no GUE, are not ours", () => {
    const four = { port: 6087, gue: null, family: "inet", local: "10.2.0.1", peer: "10.2.0.2", peer_port: 50_070 };
    const six = {
      port: 6088,
      gue: null,
      family: "inet6",
      local: "2001:db8:2::1",
      peer: "2001:db8:2::2",
      peer_port: 50_080,
    };
    expect(fouPortFrom(four)).toEqual(PORT);
    expect(fouPortFrom(six)).toMatchObject({ family: 6, port: 6088, peer: "2001:db8:2::2" });
    for (const other of [{ port: 6090, gue: null, family: "inet" }, { port: 6091, ipproto: 4, family: "inet" }, {}])
      expect(fouPortFrom(other)).toBeUndefined();
  });

  it.each<[string, Partial<FouPort>]>([
    ["family", { family: 6 }],
    ["port", { port: 1 }],
    ["own end", { local: "10.2.0.3" }],
    ["far end", { peer: "10.2.0.3" }],
    ["far port", { peerPort: 1 }],
  ])("is another one with another %s", (_what, changes) => {
    expect(sameFouPort(PORT, { ...PORT })).toBe(true);
    expect(sameFouPort(PORT, { ...PORT, ...changes })).toBe(false);
  });
});
