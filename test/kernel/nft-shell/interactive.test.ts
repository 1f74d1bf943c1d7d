import { afterEach, describe, expect, it, vi } from "vitest";
import { InteractiveNft } from "../../../src/kernel/nft-shell/interactive.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { seconds } from "../../../src/model/units.js";
import { FakeClock } from "../../support/fake-clock.js";

const MARKER = "payload expression, datatype integer (integer), 16 bits";
/** Answers each line with itself; obeys a few words. */
const ECHO = `
while read -r line; do
  case "$line" in
    "describe udp length") echo "${MARKER}" ;;
    die) exit 7 ;;
    hang) exec sleep 60 ;;
    long) head -c 300000 /dev/zero | tr '\\\\0' x; echo ;;
    pid) echo $$ ;;
    *) echo "$line" ;;
  esac
done`;

let open: InteractiveNft | undefined;
afterEach(() => open?.close());

function shell(clock = SYSTEM_CLOCK, keptAnswer = 1000): InteractiveNft {
  open = new InteractiveNft({ clock, keptAnswer, command: ["sh", "-c", ECHO] });
  return open;
}

describe("a persistent nft", () => {
  it("answers lines in their order, by one process", async () => {
    const nft = shell();
    const answers = await Promise.all(["one", "pid", "two", "pid"].map((line) => nft.run("test", line)));
    expect(answers[0]).toBe("one\n");
    expect(answers[2]).toBe("two\n");
    expect(answers[1]).toBe(answers[3]);
  });

  it("tells of its end, and begins anew with the next line", async () => {
    const nft = shell();
    const first = await nft.run("test", "pid");
    const lost = nft.run("change flow 1", "die");
    const next = nft.run("test", "pid");
    await expect(lost).rejects.toMatchObject({ code: "KERNEL_SHELL_LOST", detail: { operation: "change flow 1" } });
    expect(await next).toMatch(/^\d+\n$/);
    expect(await next).not.toBe(first);
  });

  it("begins anew when it was killed while idle", async () => {
    const nft = shell();
    await nft.run("test", "one");
    const { pid } = nft;
    if (pid === undefined) throw new Error("no process");
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(nft.pid).toBeUndefined());
    expect(await nft.run("test", "two")).toBe("two\n");
  });

  it("gives up on one that is silent", async () => {
    const clock = new FakeClock();
    const nft = shell(clock);
    const lost = nft.run("test", "hang");
    const refused = expect(lost).rejects.toMatchObject({ code: "KERNEL_SHELL_LOST" });
    await vi.waitFor(() => expect(clock.pending).toBe(1));
    clock.advance(seconds(20));
    await refused;
    expect(await nft.run("test", "two")).toBe("two\n");
  });

  it("keeps no more of an answer than it was told to", async () => {
    const answer = await shell(SYSTEM_CLOCK, 1000).run("test", "long");
    expect(answer.length).toBeLessThan(200_000);
  });

  it("retires a process, and uses another", async () => {
    const nft = shell();
    const first = await nft.run("test", "pid");
    await nft.retire();
    expect(await nft.run("test", "pid")).not.toBe(first);
  });

  it("refuses two lines for one, and everything after its end", async () => {
    const nft = shell();
    await expect(nft.run("test", "one\nflush ruleset")).rejects.toMatchObject({ code: "KERNEL_NFT_TEXT" });
    await nft.close();
    await expect(nft.run("test", "one")).rejects.toMatchObject({ code: "KERNEL_CLOSED" });
  });

  it("tells when there is no such program", async () => {
    open = new InteractiveNft({ clock: SYSTEM_CLOCK, keptAnswer: 10, command: ["/nonexistent/nft"] });
    await expect(open.run("test", "one")).rejects.toMatchObject({ code: "KERNEL_SHELL_LOST" });
  });
});
