import { describe, expect, it } from "vitest";
import { bitsPerSecond, octets } from "../../../../src/model/units.js";
import { type LinkRoom, LinkRooms } from "../../../../src/pep/router/rsvp/link-rooms.js";
import type { LocalInterface } from "../../../../src/pep/router/rsvp/network-view.js";

const MEGABIT = 1e6;
const CORE: LinkRoom = { name: "core", room: bitsPerSecond(6 * MEGABIT), rate: bitsPerSecond(10 * MEGABIT) };

function bench(...links: readonly LinkRoom[]) {
  const told: (string | number)[] = [];
  const rooms = new LinkRooms(links);
  let found: readonly LocalInterface[] = [];
  const view = rooms.through({
    interfaces: () => Promise.resolve(found),
    routes: () => Promise.resolve(new Map()),
  });
  const follow = (): void => rooms.follow((name, room) => told.push(name, room));
  const look = async (speeds: Readonly<Record<string, number | undefined>>): Promise<readonly (string | number)[]> => {
    found = Object.entries(speeds).map(([name, speed], index) => ({
      name,
      index: index + 1,
      mtu: octets(1500),
      addresses: [],
      ...(speed === undefined ? {} : { speed: bitsPerSecond(speed * MEGABIT) }),
    }));
    expect(await view.interfaces()).toBe(found);
    return told.splice(0);
  };
  return { look, follow, told };
}

function followed(...links: readonly LinkRoom[]) {
  const { look, follow } = bench(...links);
  follow();
  return look;
}

describe("the room of a link", () => {
  it("is the configured one at the configured rate and above, and its share of what a slower device carries", async () => {
    const look = followed(CORE);
    expect(await look({ core: 1000 })).toEqual([]);
    expect(await look({ core: 5 })).toEqual(["core", 3 * MEGABIT]);
    expect(await look({ core: 5 })).toEqual([]);
    expect(await look({ core: 10 })).toEqual(["core", 6 * MEGABIT]);
  });

  it("stays while the interface is away or tells no speed", async () => {
    const look = followed(CORE);
    expect(await look({ core: undefined })).toEqual([]);
    expect(await look({ core: 5 })).toEqual(["core", 3 * MEGABIT]);
    expect(await look({})).toEqual([]);
    expect(await look({ core: undefined, access: 1 })).toEqual([]);
  });

  it("is no more than the device carries where the link has no rate", async () => {
    const look = followed({ name: "core", room: bitsPerSecond(6 * MEGABIT) });
    expect(await look({ core: 10 })).toEqual([]);
    expect(await look({ core: 2 })).toEqual(["core", 2 * MEGABIT]);
  });

  it("that was small before anybody asked is told when somebody does", async () => {
    const { look, follow, told } = bench(CORE, { ...CORE, name: "other" });
    expect(await look({ core: 5, other: 10 })).toEqual([]);
    follow();
    expect(told.splice(0)).toEqual(["core", 3 * MEGABIT]);
    expect(await look({ core: 10, other: 10 })).toEqual(["core", 6 * MEGABIT]);
  });
});
