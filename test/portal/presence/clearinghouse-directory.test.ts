/** The client against the clearinghouse's own directory. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DirectoryServer } from "../../../src/clearinghouse/directory/directory-server.js";
import { NickNames } from "../../../src/clearinghouse/directory/nick-names.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { IpAddress } from "../../../src/model/ip.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { EventStream } from "../../../src/portal/http/event-streams.js";
import { DirectoryClient } from "../../../src/portal/presence/directory-client.js";
import { DirectoryKeeper } from "../../../src/portal/presence/directory-keeper.js";
import { Presence } from "../../../src/portal/presence/presence.js";

let server: DirectoryServer;
let names: NickNames;
let client: DirectoryClient;
let port: number;

beforeEach(async () => {
  names = new NickNames(":memory:", SYSTEM_CLOCK);
  const prefix = parsePrefix("127.0.0.0/8");
  if (prefix === undefined) throw new Error("a prefix is not read");
  const listen = { address: "127.0.0.1" as IpAddress, port: 0 };
  server = new DirectoryServer({ listen, clients: [{ prefix }], names, clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
  port = await server.listen();
  client = new DirectoryClient(`http://127.0.0.1:${port}/directory`);
});
afterEach(async () => {
  client.close();
  await server.close();
  names.close();
});

it("enters users, sees them, and hears that a name is taken", async () => {
  expect(await client.put("Zoë 1", { aor: "zoe@a.example", online: true })).toBe("kept");
  expect(await client.put("Al", { aor: "alice@a.example", online: false })).toBe("kept");
  expect(await client.put("zoë 1", { aor: "mallory@b.example", online: true })).toBe("taken");
  expect(await client.online()).toMatchObject([{ nick: "Zoë 1", aor: "zoe@a.example" }]);
  await client.put("Zoë 1", { aor: "zoe@a.example", online: false });
  expect(await client.online()).toEqual([]);
});

it("brings news of one portal to the pages of another in 1.5 s", async () => {
  const told: string[] = [];
  const page: EventStream = {
    user: "bob",
    send: (frame) => void told.push(frame),
    feed: (next) => {
      for (let frame = next(); frame !== undefined; frame = next()) told.push(frame);
    },
    end: () => undefined,
  };
  const presence = new Presence({ clock: SYSTEM_CLOCK, onLocal: () => undefined });
  const far = new DirectoryClient(`http://127.0.0.1:${port}/directory`);
  const options = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
  const [keeper, farKeeper] = [
    new DirectoryKeeper({
      ...options,
      directory: client,
      onEntries: (entries) => presence.remote(entries, () => false),
    }),
    new DirectoryKeeper({ ...options, directory: far, onEntries: () => undefined }),
  ];
  try {
    presence.opened({ user: "bob", nick: "Bob", aor: "bob@b.example" }, page);
    // Until the portal waits at the directory, as it does at rest.
    await vi.waitFor(() => expect(client.waits).toBe(true), { timeout: 2000, interval: 10 });
    const delays: number[] = [];
    for (const online of [true, false, true]) {
      await new Promise((resolve) => setTimeout(resolve, 700));
      const [before, started] = [told.length, performance.now()];
      farKeeper.tell("Zoë", "zoe@a.example", online);
      const word = online ? "online" : "offline";
      await vi.waitFor(
        () =>
          expect(told.slice(before).some((frame) => frame.includes("zoe@") && frame.includes(`"${word}"`))).toBe(true),
        { timeout: 4000, interval: 10 },
      );
      delays.push(performance.now() - started);
    }
    // A tick of 0.1 s, the directory, 0.2 s until it may be asked again, and a flush of 1 s.
    for (const delay of delays) expect(delay).toBeLessThan(1500);
  } finally {
    keeper.close();
    farKeeper.close();
    presence.close();
  }
});
