/** RSVP in IP packets between real network namespaces: delivery, interception, what is left alone, what a flood does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { inOwnNamespace } from "../../kernel/real/namespace.js";
import { until } from "../../lab/support/until.js";
import { compileSource } from "../../store/compile.js";
import { path } from "../endpoint/messages.js";
import { ADDRESS, buildNodes, Peer, type PeerOptions } from "./nodes.js";

const { r1: R1, r2: R2, t1: T1 } = ADDRESS;
const octetsOf = (from: string, to: string, ttl: number): Buffer =>
  encodePacket({ sendTtl: ttl, refreshReduction: true, acks: [], message: path({ from, to }) });

inOwnNamespace(import.meta.url, () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-rsvp-raw-"));
  let dist = "";
  const peers: Peer[] = [];

  async function peer(namespace: string | undefined, options: PeerOptions, prefix?: readonly string[]): Promise<Peer> {
    const made = new Peer(dist, namespace, options, prefix);
    peers.push(made);
    return made.ready();
  }

  beforeAll(async () => {
    dist = compileSource(folder, ["model", "rsvp"]);
    await buildNodes();
  });
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((made) => made.close()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  describe("raw RSVP", () => {
    for (const family of ["v4", "v6"] as const) {
      const [from, to, via] = [R1[family], R2[family], T1[family]];

      it(`${family}: the transit router takes a message with Router Alert out of forwarding, with interface and TTL`, async () => {
        const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"] });
        const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"] });
        const r2 = await peer("r2", { choice: "raw", interfaces: ["eth0"] });
        const octets = octetsOf(from, to, 61);
        const datagram = { protocol: "rsvp", interface: "eth0", destination: to, ttl: 61, tos: 0xc0 } as const;
        r1.send({ ...datagram, source: from, routerAlert: 0 }, octets);
        await until("the message at t", () => t.received.length > 0);
        expect(t.received).toEqual([
          {
            octets: octets.toString("hex"),
            protocol: "rsvp",
            interface: "t1",
            source: from,
            destination: to,
            ttl: 61,
            routerAlert: 0,
          },
        ]);
        // Without the option it goes through.
        r1.send(datagram, octets);
        await until("the message at r2", () => r2.received.length > 0);
        expect(r2.received).toHaveLength(1);
        expect(r2.received[0]).toMatchObject({ interface: "eth0", source: from, octets: octets.toString("hex") });
        // IPv6 sockets that get a packet to themselves are not told its destination and hop limit.
        expect(r2.received[0]?.ttl).toBe(family === "v4" ? 60 : undefined);
        expect(r2.received[0]?.destination).toBe(family === "v4" ? to : undefined);
        expect(t.received).toHaveLength(1);
      });

      it(`${family}: a message goes on from t with the sender's address as its source`, async () => {
        const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"] });
        const r2 = await peer("r2", { choice: "raw", interfaces: ["eth0"] });
        const octets = octetsOf(from, to, 40);
        const datagram = { protocol: "rsvp", interface: "t2", destination: to, ttl: 40, tos: 0xc0 } as const;
        t.send({ ...datagram, source: from, routerAlert: 0 }, octets);
        await until("the message at r2", () => r2.received.length > 0);
        expect(r2.received[0]).toMatchObject({ source: from, octets: octets.toString("hex") });
      });

      it(`${family}: each interface has its own messages, and answers come back by the address`, async () => {
        const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"] });
        const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"] });
        const octets = octetsOf(from, to, 64);
        const common = { protocol: "rsvp", ttl: 64, tos: 0xc0 } as const;
        r1.send({ ...common, interface: "eth0", destination: via }, octets);
        await until("the message at t", () => t.received.length > 0);
        expect(t.received[0]).toMatchObject({ interface: "t1", source: from });
        t.send({ ...common, interface: "t1", destination: from }, octets);
        await until("the answer at r1", () => r1.received.length > 0);
        expect(r1.received[0]).toMatchObject({ interface: "eth0", source: via });
      });

      it(`${family}: RSVP-E2E-IGNORE passes t untouched, and reaches who listens for it`, async () => {
        const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"], protocols: ["rsvp", "e2eIgnore"] });
        const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"] });
        const r2 = await peer("r2", {
          choice: "raw",
          interfaces: ["eth0"],
          protocols: ["rsvp", "e2eIgnore"],
          alerts: [0, 1],
        });
        const octets = octetsOf(from, to, 50);
        const datagram = { protocol: "e2eIgnore", interface: "eth0", destination: to, ttl: 50, tos: 0xc0 } as const;
        // Also with the option: t has nothing that takes this protocol, or this level.
        for (const alert of [{}, { routerAlert: 1 }]) r1.send({ ...datagram, ...alert }, octets);
        await until("both messages at r2", () => r2.received.length === 2);
        for (const one of r2.received) {
          expect(one).toMatchObject({ protocol: "e2eIgnore", source: from, octets: octets.toString("hex") });
        }
        expect(t.received).toEqual([]);
      });
    }

    it("v6: what carries the option and is not RSVP goes on as if nobody had looked", async () => {
      const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"] });
      const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"], protocols: ["rsvp", "e2eIgnore"] });
      const r2 = await peer("r2", { choice: "raw", interfaces: ["eth0"], protocols: ["e2eIgnore"] });
      const octets = octetsOf(R1.v6, R2.v6, 50);
      const common = { interface: "eth0", destination: R2.v6, ttl: 50, tos: 0 } as const;
      r1.send({ ...common, protocol: "e2eIgnore", routerAlert: 0 }, octets);
      await until("the message at r2", () => r2.received.length > 0);
      expect(r2.received[0]?.octets).toBe(octets.toString("hex"));
      expect((await t.counts()).foreign).toBe(1);
      expect(t.received).toEqual([]);
    });

    it("is read by tshark as it was meant", async () => {
      const capture = join(folder, "alert.pcap");
      const tcpdump = execa("tcpdump", ["-i", "t1", "-w", capture, "-U", "-c", "2", "ip proto 46 or ip6"], {
        reject: false,
      });
      let said = "";
      tcpdump.stderr?.on("data", (text) => {
        said += String(text);
      });
      await until("tcpdump to listen", () => said.includes("listening on"));
      const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"] });
      for (const family of ["v4", "v6"] as const) {
        const common = { protocol: "rsvp", interface: "eth0", ttl: 33, tos: 0xc0, routerAlert: 0 } as const;
        r1.send({ ...common, destination: R2[family] }, octetsOf(R1[family], R2[family], 33));
        await delay(200);
      }
      await tcpdump;
      const fields = ["ip.opt.ra", "ip.ttl", "ip.checksum.status", "ipv6.opt.router_alert", "ipv6.hlim", "rsvp.msg"];
      const { stdout } = await execa("tshark", [
        ...["-r", capture, "-n", "-o", "ip.check_checksum:TRUE", "-Y", "rsvp", "-T", "fields", "-E", "separator=;"],
        ...fields.flatMap((field) => ["-e", field]),
      ]);
      expect(stdout.split("\n")).toEqual(["0;33;1;;;1", ";;;1;33;1"]);
    });

    it("bounds a flood, counts it, and still hears others", async () => {
      const limits = { perSource: 200 };
      const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"], families: [4], limits });
      const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"], families: [4] });
      const r2 = await peer("r2", { choice: "raw", interfaces: ["eth0"], families: [4] });
      const common = { protocol: "rsvp", interface: "eth0", ttl: 64, tos: 0 } as const;
      const octets = octetsOf(R1.v4, R2.v4, 64);
      for (let count = 0; count < 3000; count += 1) r1.send({ ...common, destination: T1.v4 }, octets);
      r2.send({ ...common, destination: ADDRESS.t2.v4 }, octets);
      await until("the flood to be over", async () => (await r1.counts()).sent === 3000);
      await until("the other one to be heard", () => t.received.some(({ source }) => source === R2.v4));
      const { received, flood } = await t.counts();
      expect(flood).toBeGreaterThan(0);
      expect(received).toBeLessThan(3000);
      expect(t.received.filter(({ source }) => source === R1.v4).length).toBeLessThanOrEqual(received);
    });

    it("leaves the interface to the kernel's routes where none is named", async () => {
      const t = await peer(undefined, { choice: "raw", interfaces: ["t1", "t2"], families: [4] });
      const r2 = await peer("r2", { choice: "raw", interfaces: ["eth0"], families: [4] });
      const octets = octetsOf(R1.v4, R2.v4, 9);
      t.send({ protocol: "rsvp", destination: R2.v4, ttl: 9, tos: 0, routerAlert: 0 }, octets);
      await until("the message at r2", () => r2.received.length > 0);
      expect(r2.received[0]).toMatchObject({ source: ADDRESS.t2.v4, ttl: 9, routerAlert: 0 });
      t.send({ protocol: "rsvp", destination: R2.v6, ttl: 9, tos: 0 }, octets);
      await until("the refusal of IPv6", () => t.failed.length > 0);
    });

    it("says what is wrong: no such interface, an interface that went away", async () => {
      const none = await peer(undefined, { choice: "raw", interfaces: ["nothing0"] });
      expect(none.refused[0]).toBe("RSVP_RAW_SOCKET");
      const t = await peer(undefined, { choice: "raw", interfaces: ["t1"] });
      t.send({ protocol: "rsvp", interface: "t2", destination: R2.v4, ttl: 1, tos: 0 }, Buffer.alloc(8));
      await until("the failure", () => t.failed.length > 0);
      expect(t.failed).toEqual([["t2", "RSVP is not attached to interface t2"]]);
      expect((await t.counts()).unsent).toBe(1);
    });
  });

  describe("RSVP without CAP_NET_RAW", () => {
    const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"];

    beforeAll(async () => {
      // Also nobody reads the compiled program.
      await execa("chmod", ["-R", "a+rX", folder]);
    });

    it("falls back to UDP, and reaches the next router that does the same (RFC 2205 appendix C)", async () => {
      const options = { interfaces: ["eth0"], nextHops: [["eth0", T1.v4]] as const };
      const r1 = await peer("r1", options, NOBODY);
      const t = await peer(undefined, { interfaces: ["t1", "t2"] }, NOBODY);
      expect([r1.kind, t.kind]).toEqual(["udp", "udp"]);
      const octets = octetsOf(R1.v4, R2.v4, 7);
      const common = { protocol: "rsvp", interface: "eth0", ttl: 7, tos: 0xc0 } as const;
      r1.send({ ...common, destination: R2.v4, routerAlert: 0 }, octets);
      await until("the message at t", () => t.received.length > 0);
      // The TTL is the one that the sender put into the message.
      expect(t.received).toEqual([
        {
          octets: octets.toString("hex"),
          protocol: "rsvp",
          interface: "t1",
          source: R1.v4,
          destination: T1.v4,
          ttl: 7,
        },
      ]);
      r1.send({ ...common, destination: T1.v6 }, octets);
      await until("the message over IPv6", () => t.received.length > 1);
      expect(t.received[1]).toMatchObject({ source: R1.v6, destination: T1.v6 });
    });

    it("refuses when raw sockets are asked for", async () => {
      const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"] }, NOBODY);
      expect(r1.refused[0]).toBe("RSVP_NO_TRANSPORT");
      expect(r1.refused[1]).toContain("Operation not permitted");
    });

    it("needs nothing more than CAP_NET_RAW for raw sockets", async () => {
      const RAW = [...NOBODY.slice(0, -1), "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"];
      const r1 = await peer("r1", { choice: "raw", interfaces: ["eth0"] }, [...RAW, "--bounding-set=-all,+net_raw"]);
      expect(r1.kind).toBe("raw");
    });
  });
});
