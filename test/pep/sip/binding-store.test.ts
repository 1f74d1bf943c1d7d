import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { timestamp } from "../../../src/model/units.js";
import { SqliteBindingStore } from "../../../src/pep/sip/binding-store.js";
import { registrationView } from "../../../src/pep/sip/registration-view.js";
import type { AddressOfRecord, Binding } from "../../../src/sip/registrar/binding.js";
import { FakeClock } from "../../support/fake-clock.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-bindings-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const aor = (user: string) => `${user}@a.example` as AddressOfRecord;
const binding = (user: string): Binding => ({
  aor: aor(user),
  contact: `sip:${user}@198.51.100.1`,
  q: 500,
  expires: timestamp(2000),
  since: timestamp(1000),
  updated: timestamp(1500),
  callId: "c",
  cseq: 1,
  instance: "urn:uuid:1",
  arrived: {
    transport: "udp",
    address: "198.51.100.1",
    port: 5070,
    local: { transport: "udp", address: "192.0.2.1", port: 5060 },
  },
});

const open = (clock = new FakeClock()) =>
  new SqliteBindingStore({ path: join(folder, "registrations.db"), clock, log: SILENT_LOGGER });

describe("registrations on disk", () => {
  it("are written together a moment later, and when it is closed", () => {
    const clock = new FakeClock();
    const store = open(clock);
    store.save(aor("a"), [binding("a")]);
    store.save(aor("b"), [binding("b")]);
    expect(store.load()).toEqual([]);
    clock.advance(50);
    expect(store.load()).toEqual([binding("a"), binding("b")]);
    store.save(aor("a"), []);
    store.save(aor("c"), [binding("c")]);
    store.close();
    const again = open();
    expect(again.load()).toEqual([binding("b"), binding("c")]);
    again.close();
  });

  it("leave their users known for 400 days after the last", () => {
    const day = 86_400_000;
    const clock = new FakeClock(1_000 * day);
    const store = open(clock);
    store.save(aor("a"), []);
    store.save(aor("b"), [binding("b")]);
    store.close();
    const known = (after: number) => {
      const later = open(new FakeClock((1_000 + after) * day));
      const users = later.users();
      later.close();
      return users;
    };
    expect(known(399)).toEqual([aor("a"), aor("b")]);
    expect(known(401)).toEqual([aor("b")]);
  });
});

describe("a registration as it is shown", () => {
  it("says where the agent is, and whether only its connection leads there", () => {
    expect(registrationView(binding("a"))).toEqual({
      user: "a@a.example",
      contact: "sip:a@198.51.100.1",
      q: 0.5,
      since: 1000,
      expires: 2000,
      transport: "udp",
      from: "198.51.100.1:5070",
      connected: false,
      instance: "urn:uuid:1",
    });
  });
});
