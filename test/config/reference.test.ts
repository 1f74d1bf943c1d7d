import { describe, expect, it } from "vitest";
import { ROLES } from "../../src/config/common.js";
import { schemaOf } from "../../src/config/load.js";
import { renderConfigReference } from "../../src/config/reference.js";

describe("renderConfigReference", () => {
  const text = renderConfigReference();
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));

  it("has every top-level key of every role, and explains every key", () => {
    for (const role of ROLES) {
      for (const key of Object.keys(schemaOf(role, { directory: "/", env: {} }).shape)) {
        expect(rows.some((row) => row.startsWith(`| \`${key}\` |`))).toBe(true);
      }
    }
    const unexplained = rows.filter((row) => /\|\s+\|$/.test(row));
    expect(unexplained).toEqual([]);
  });

  it("writes values, defaults and units as one writes them in the file", () => {
    expect(rows).toContain(
      "| `links[].rate` | a rate | required | What all sessions over the link may use together, each direction, counted at layer 2. |",
    );
    expect(text).toContain("| `pools[].sizing` | `fixed` or keys | `fixed` |");
    expect(text).toContain("| `pools[].warn` | list of a whole number, 1 to 100 | `[80, 95]` |");
    expect(text).toContain("| `cops.keepAlive` | a time | `30 s` |");
    expect(text).toContain("| `cops.maxMessage` | a size | `256 KiB` |");
    expect(text).toContain("| `cops.sipClientType` | a COPS client-type, 0x4000 to 0xffff | `0x5349` |");
    expect(text).toContain("| `quality` | keys | as below |");
    expect(text).toContain("| `quality.every` | a time | `100 ms` |");
    expect(text).toContain("| `pools[].measure` | `true` or `false` | `false` |");
    expect(text).toContain("| `sessionClasses[].loss` | a percentage | – |");
    expect(text).toContain("| `rules[].class` | a name | – |");
    expect(text).toContain("| `classes[].outOfProfile` | `drop` or keys | `drop` |");
    expect(text).toContain("| `sip.users` | a user name to a SIP URI | none |");
  });

  it("says the same each time", () => {
    expect(renderConfigReference()).toBe(text);
  });
});
