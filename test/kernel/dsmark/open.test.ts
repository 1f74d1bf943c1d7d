import { describe, expect, it } from "vitest";
import { openDsmarkKernel } from "../../../src/kernel/dsmark/open.js";
import { probeDsmark } from "../../../src/kernel/dsmark/probe.js";
import { parseState, renderUpdate } from "../../../src/kernel/nft/ruleset.js";
import type { ScratchCommand } from "../../../src/kernel/probe/scratch.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { desired, link } from "../fixtures.js";

describe("the probe", () => {
  it("tries each part, then all together as they will stand", async () => {
    const asked: ScratchCommand[] = [];
    const run = async (command: ScratchCommand) => {
      asked.push(command);
      return { exitCode: 0, stderr: "" };
    };
    expect((await probeDsmark(run)).outcome).toBe("supported");
    const inputs = asked.map(({ input = "" }) => input);
    expect(inputs).toHaveLength(3);
    expect(inputs[0]).toMatch(
      /^qdisc add dev lo root handle 2: dsmark indices 128 default_index 0xff80 set_tc_index\n/,
    );
    expect(inputs[1]).not.toContain("dsmark");
    expect(inputs[1]).toContain("tcindex hash 512 mask 0xff80 shift 7 fall_through\n");
    expect(inputs[2]).toContain("qdisc add dev lo parent 2:1 handle 1: htb default 1\n");
  });

  it.each([
    ["dsmark", "DSMARK", "Error: Specified qdisc kind is unknown.", "missing in kernel", /backend: nftables/],
    ["tcindex", "the classifier tcindex", "Error: TC classifier not found.", "missing in kernel", /Linux 6\.2/],
    ["dsmark", "DSMARK", 'Unknown qdisc "dsmark", hence option "indices" is unparsable', "missing in tool", /iproute2/],
    ["dsmark", "DSMARK", "RTNETLINK answers: Operation not permitted", "unknown", /as root/],
  ] as const)("without %s names it, and nothing is opened: %s, %s", async (word, part, stderr, outcome, remedy) => {
    const run = async ({ input = "" }: ScratchCommand) =>
      input.includes(word) && !(word === "tcindex" && input.includes("dsmark"))
        ? { exitCode: 2, stderr }
        : { exitCode: 0, stderr: "" };
    const opened = openDsmarkKernel({ log: SILENT_LOGGER, probeEdge: () => probeDsmark(run) });
    await expect(opened).rejects.toMatchObject({
      code: "KERNEL_UNSUPPORTED",
      message: `no back end "dsmark": ${part}: ${outcome} (${stderr})`,
      remedy: expect.stringMatching(remedy),
    });
  });
});

describe("the rules with DSMARK", () => {
  const state = desired([], { interfaces: [link("wan0")] });
  const options = { table: "sluice", maxFlows: 1024 };
  const text = renderUpdate({ ...options, marking: "dsmark" }, state, "");
  const block = (name: string): readonly string[] =>
    (new RegExp(`\\tchain ${name} \\{\\n([^}]*)\\n\\t\\}`).exec(text)?.[1] ?? "")
      .split("\n")
      .map((line) => line.trim());

  it("write no code point, but choose the slot", () => {
    expect(text).not.toContain("dscp set");
    expect(block("dscp_46")).toEqual([
      "meta priority set meta priority << 7",
      "meta priority set meta priority and 0x0000ff80 or 0x0002006e accept",
    ]);
    expect(block("signalling")).toEqual(["meta priority set 2:158 accept"]);
    // Neighbours keep their priority: HTB knows the class without a slot, and DSMARK leaves them as they are.
    expect(block("neighbours")[0]).toMatch(/meta priority set 1:2$/);
  });

  it("are otherwise those without it", () => {
    const plain = renderUpdate(options, state, "").split("\n");
    const differing = text.split("\n").filter((line) => !plain.includes(line));
    const kinds = differing.map((line) => line.trim().replace(/[0-9a-f]{2,}/g, "N"));
    expect(kinds.filter((line) => !line.startsWith("meta priority set"))).toEqual([
      expect.stringContaining("structure:dsmark:"),
    ]);
  });

  it("are outdated for the other back end, and the other's for this", () => {
    const id = structureId(state);
    const ids = (text: string): readonly (string | undefined)[] =>
      (["nftables", "dsmark"] as const).map((marking) => parseState([text], marking).structureId);
    expect(ids(`structure:${id}`)).toEqual([id, `other:${id}`]);
    expect(ids(`structure:dsmark:${id}`)).toEqual([`dsmark:${id}`, id]);
    expect(ids("listing:x")).toEqual([undefined, undefined]);
  });
});
