import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import { DirectoryClient, type DirectoryEntry } from "../../../src/portal/presence/directory-client.js";
import { DirectoryKeeper } from "../../../src/portal/presence/directory-keeper.js";
import { FakeClock } from "../../support/fake-clock.js";
import { startDirectory, type TinyDirectory } from "./directory.js";

let tiny: TinyDirectory;
let client: DirectoryClient;

beforeEach(async () => {
  tiny = await startDirectory();
  client = new DirectoryClient(tiny.url, millis(300));
});
afterEach(async () => {
  client.close();
  await tiny.close();
});

describe("DirectoryClient", () => {
  it("puts a nick name of any letters, and reads who is on-line", async () => {
    expect(await client.put("Zoë 1. ü", { aor: "zoe@a.example", online: true })).toBe("kept");
    expect(await client.put("Off", { aor: "off@a.example", online: false })).toBe("kept");
    tiny.taken.add("Al");
    expect(await client.put("Al", { aor: "alice@a.example", online: true })).toBe("taken");
    expect(await client.online()).toMatchObject([{ nick: "Zoë 1. ü", aor: "zoe@a.example" }]);
  });

  it("leaves out what another provider should not have written", async () => {
    const write = (nick: string, aor: string) => tiny.entries.set(nick, { nick, aor, online: true, since: 1 });
    write("Good", "good@b.example");
    write("<img src=x>", "a@b.example");
    write("Line\nend", "b@b.example");
    write("NoAor", "not an address");
    write("Long".repeat(100), "c@b.example");
    expect((await client.online()).map(({ nick }) => nick)).toEqual(["Good"]);
  });

  it.each([
    [500, "DIRECTORY_REFUSED"],
    ["garbage", "DIRECTORY_ANSWER"],
    ["hang", "DIRECTORY_UNREACHABLE"],
  ] as const)("says what was wrong: %s", async (failure, code) => {
    tiny.failure = failure;
    await expect(client.online()).rejects.toMatchObject({ code });
  });

  it("says that nobody is there", async () => {
    await tiny.close();
    await expect(client.put("a", { aor: "a@a", online: true })).rejects.toMatchObject({
      code: "DIRECTORY_UNREACHABLE",
    });
  });
});

describe("DirectoryKeeper", () => {
  let clock: FakeClock;
  let keeper: DirectoryKeeper;
  let heard: (readonly DirectoryEntry[])[];

  beforeEach(() => {
    clock = new FakeClock();
    heard = [];
    keeper = new DirectoryKeeper({
      directory: client,
      clock,
      log: SILENT_LOGGER,
      onEntries: (entries) => void heard.push(entries),
    });
  });
  afterEach(() => keeper.close());

  /** Time passes in steps, with real requests answered in between. */
  async function pass(by: number): Promise<void> {
    for (let left = by; left > 0; left -= 250) {
      clock.advance(Math.min(250, left));
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }

  it("tells at once, again each 20 s, and nothing more of one who has gone", async () => {
    keeper.tell("Al", "alice@a.example", true);
    await pass(1000);
    await vi.waitFor(() => expect(tiny.entries.get("Al")).toMatchObject({ aor: "alice@a.example", online: true }));
    expect(tiny.puts).toBe(1);
    await pass(21_000);
    expect(tiny.puts).toBe(2);
    keeper.tell("Al", "alice@a.example", false);
    await pass(1000);
    await vi.waitFor(() => expect(tiny.entries.get("Al")?.online).toBe(false));
    await pass(25_000);
    expect(tiny.puts).toBe(3);
  });

  it("reads each 5 s, and believes nothing that is older than a minute", async () => {
    tiny.entries.set("Car", { nick: "Car", aor: "carol@b.example", online: true, since: 5 });
    await pass(11_000);
    expect(heard.length).toBe(3);
    expect(heard.at(-1)).toEqual([{ nick: "Car", aor: "carol@b.example", since: 5 }]);
    expect(keeper.problems()).toEqual([]);
    tiny.failure = 500;
    await pass(20_000);
    expect(heard.length).toBe(3);
    expect(keeper.problems()).toEqual([expect.stringMatching(/^the directory has not answered for \d+ s$/)]);
    await pass(50_000);
    expect(heard.at(-1)).toEqual([]);
  });

  it("says that a nick name is another's", async () => {
    tiny.taken.add("Al");
    keeper.tell("Al", "alice@a.example", true);
    await pass(1000);
    await vi.waitFor(() => expect(keeper.problems()).toEqual(["1 nick names belong to another provider"]));
  });

  it("tells 1,000 within their 20 s, with few requests at a time", async () => {
    for (let index = 0; index < 1000; index++) keeper.tell(`n${index}`, `u${index}@a.example`, true);
    let ticks = 0;
    for (; tiny.entries.size < 1000 && ticks < 80; ticks++) {
      const { puts } = tiny;
      clock.advance(250);
      // The clock moves on when what it set off is answered: here the number of requests counts, not the machine's speed.
      await vi.waitFor(() => expect(tiny.puts).toBe(Math.min(1000, puts + 64)), { timeout: 5000, interval: 2 });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(tiny.entries.size).toBe(1000);
    expect(ticks).toBeLessThanOrEqual(20);
    expect(tiny.connections).toBeLessThanOrEqual(4);
  });

  it("says the last thing last, also if it changes while a request is on its way", async () => {
    keeper.tell("Al", "alice@a.example", true);
    clock.advance(250);
    keeper.tell("Al", "alice@a.example", false);
    await pass(2000);
    await vi.waitFor(() => expect(tiny.entries.get("Al")?.online).toBe(false));
    expect(tiny.puts).toBe(2);
  });
});
