/** tcpdump, which has an RFC 2747 of its own, on what an endpoint signs and sends through the kernel. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { DEFAULT_RSVP_LIMITS } from "../../../src/rsvp/endpoint/limits.js";
import { openTransport } from "../../../src/rsvp/endpoint/open-transport.js";
import { RsvpEndpoint } from "../../../src/rsvp/endpoint/rsvp-endpoint.js";
import { DEFAULT_RELIABILITY } from "../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../src/rsvp/security/key-table.js";
import { rsvpKey } from "../../../src/rsvp/security/keys.js";
import { inOwnNamespace } from "../../kernel/real/namespace.js";
import { until } from "../../lab/support/until.js";
import { path, resv } from "../endpoint/messages.js";
import { ADDRESS, buildNodes } from "./nodes.js";

const KEY = "kept between neighbours";

inOwnNamespace(import.meta.url, () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-rsvp-integrity-"));
  let endpoint: RsvpEndpoint;

  beforeAll(async () => {
    await buildNodes();
    endpoint = await RsvpEndpoint.open({
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      handlers: { message: () => undefined, unreadable: () => undefined },
      keys: new KeyTable([
        { interface: "t2", keys: [rsvpKey(0x1234_5678_9abc, Buffer.from(KEY))], handshake: "off", window: 1 },
      ]),
      reliability: DEFAULT_RELIABILITY,
      isOwn: () => false,
      interfaceTo: () => undefined,
      epoch: 1,
      tos: 0xc0,
      transport: (handlers) =>
        openTransport("raw", {
          handlers,
          limits: DEFAULT_RSVP_LIMITS,
          clock: SYSTEM_CLOCK,
          protocols: ["rsvp"],
          alerts: [0],
          families: [4],
          udp: { role: "router", nextHops: new Map() },
        }),
    });
    await endpoint.transport?.attach("t2");
  });
  afterAll(async () => {
    await endpoint.close();
    rmSync(folder, { recursive: true });
  });

  it("finds the digests of Path and Resv valid, and with another key invalid", async () => {
    const capture = join(folder, "signed.pcap");
    const tcpdump = execa("tcpdump", ["-i", "t2", "-w", capture, "-U", "-c", "2", "ip proto 46"], { reject: false });
    let said = "";
    tcpdump.stderr?.on("data", (text) => {
      said += String(text);
    });
    await until("tcpdump to listen", () => said.includes("listening on"));
    const facts = { from: ADDRESS.t2.v4, to: ADDRESS.r2.v4 };
    const common = { interface: "t2", destination: ADDRESS.r2.v4, ttl: 64 };
    endpoint.send({ ...common, message: path(facts), routerAlert: true });
    endpoint.send({ ...common, message: resv({ ...facts, hop: ADDRESS.t2.v4 }), routerAlert: false });
    await tcpdump;
    const read = async (key: string): Promise<string> =>
      (await execa("tcpdump", ["-r", capture, "-n", "-vvv", "-M", key], { stderr: "ignore" })).stdout;
    const right = await read(KEY);
    expect(right).toContain("Key-ID 0x123456789abc");
    expect(right.match(/\((valid|invalid)\)/g)).toEqual(["(valid)", "(valid)"]);
    expect((await read("another")).match(/\((valid|invalid)\)/g)).toEqual(["(invalid)", "(invalid)"]);
  });
});
