import { beforeEach, describe, expect, it } from "vitest";
import type { ChannelListener } from "../../../src/kernel/netlink/agent/agent.js";
import { NetlinkSocket } from "../../../src/kernel/netlink/socket.js";
import { millis } from "../../../src/model/units.js";
import { FakeClock } from "../../support/fake-clock.js";

const ERROR = 2;
const GRANTED = 10_000;

/** One netlink message, in this machine's order of octets; the body is an errno. */
function message(sequence: number, type = ERROR, errno = 0): Buffer {
  const header = new Uint32Array([20, type, sequence, 0]);
  return Buffer.concat([Buffer.from(header.buffer), Buffer.from(new Int32Array([-errno]).buffer)]);
}

/** Plays the agent: notes what is sent, answers when the test says so. */
class ScriptedAgent {
  readonly sent: number[] = [];
  held = 0;
  restarts = 0;
  listener: ChannelListener | undefined;
  open(_settings: unknown, listener: ChannelListener) {
    this.listener = listener;
    return { send: (tag: number) => void this.sent.push(tag), close: () => undefined };
  }
  hold(): void {
    this.held++;
  }
  release(): void {
    this.held--;
  }
  restart(): void {
    this.restarts++;
  }
}

describe("a netlink socket", () => {
  let agent: ScriptedAgent;
  let clock: FakeClock;
  let socket: NetlinkSocket;

  beforeEach(async () => {
    agent = new ScriptedAgent();
    clock = new FakeClock();
    const opening = NetlinkSocket.open(agent, { protocol: 12, clock });
    agent.listener?.opened(GRANTED);
    socket = await opening;
  });

  /** Gives the sequences and types of the answers that the request was given. */
  function request(count = 1, room: number | "alone" = 100) {
    const first = socket.sequences(count);
    const taken: string[] = [];
    const answers = socket.request({
      operation: `request ${first}`,
      octets: Buffer.alloc(16),
      first,
      count,
      room,
      take: ({ type, sequence }) => {
        taken.push(`${type}/${sequence}`);
        return type === ERROR && sequence === first + count - 1;
      },
      finish: () => taken,
    });
    answers.catch(() => undefined);
    return { first, answers };
  }
  const answer = (...messages: Buffer[]): void => agent.listener?.datagram(Buffer.concat(messages));

  it("has several requests under way, and tells their answers apart", async () => {
    const [one, two] = [request(3), request(2)];
    expect(agent.sent).toEqual([one.first, two.first]);
    // An echo carries no sequence number: it is of the oldest.
    answer(message(0, 30), message(one.first + 2), message(0, 31));
    answer(message(two.first + 1));
    expect(await one.answers).toEqual(["30/0", `2/${one.first + 2}`]);
    expect(await two.answers).toEqual(["31/0", `2/${two.first + 1}`]);
    expect(agent.held).toBe(0);
  });

  it("sends no more than the receive buffer has room for, and a dump alone", async () => {
    const large = Array.from({ length: 3 }, () => request(1, 3000));
    const dump = request(1, "alone");
    const after = request(1, 10);
    expect(agent.sent).toEqual(large.slice(0, 2).map(({ first }) => first));
    for (const { first } of large) answer(message(first));
    expect(agent.sent.at(-1)).toBe(dump.first);
    answer(message(dump.first));
    expect(agent.sent.at(-1)).toBe(after.first);
    answer(message(after.first));
    await Promise.all([...large, dump, after].map(({ answers }) => answers));
  });

  it("gives up an older request whose answer was passed over", async () => {
    const [one, two] = [request(), request()];
    answer(message(two.first));
    await expect(one.answers).rejects.toMatchObject({
      code: "KERNEL_NETLINK_LOST",
      detail: { operation: "request 1" },
    });
    expect(await two.answers).toEqual([`2/${two.first}`]);
  });

  it("passes over answers to nothing that is under way", async () => {
    const one = request();
    answer(message(one.first));
    const two = request();
    answer(message(one.first), message(7777), message(two.first));
    expect(await two.answers).toEqual([`2/${two.first}`]);
  });

  it("loses what is under way with the agent, and sends what waits to the next", async () => {
    const [lost, waiting] = [request(1, "alone"), request()];
    agent.listener?.lost("SIGABRT");
    await expect(lost.answers).rejects.toMatchObject({
      code: "KERNEL_NETLINK_LOST",
      message: expect.stringContaining("SIGABRT"),
      remedy: expect.any(String),
    });
    expect(agent.sent).toEqual([lost.first]);
    agent.listener?.opened(GRANTED);
    expect(agent.sent).toEqual([lost.first, waiting.first]);
    answer(message(waiting.first));
    expect(await waiting.answers).toHaveLength(1);
    expect(agent.held).toBe(0);
  });

  it("fails what waits when the next agent does not start either", async () => {
    agent.listener?.lost("SIGABRT");
    const one = request();
    agent.listener?.lost("exit code 5");
    await expect(one.answers).rejects.toMatchObject({ code: "KERNEL_NETLINK" });
  });

  it("ends an agent that does not answer, but not one that is at it", async () => {
    const slow = request();
    for (let part = 0; part < 5; part++) {
      clock.advance(millis(7400));
      answer(message(slow.first, 30));
    }
    clock.advance(millis(7500));
    expect(agent.restarts).toBe(0);
    clock.advance(millis(15_000));
    await expect(slow.answers).rejects.toMatchObject({ code: "KERNEL_TIMEOUT" });
    expect(agent.restarts).toBe(1);
  });

  it("says what could not be sent, and goes on", async () => {
    const [one, two] = [request(), request()];
    agent.listener?.unsent(one.first, { errno: "EMSGSIZE", reason: "too long" });
    answer(message(two.first));
    await expect(one.answers).rejects.toMatchObject({ code: "KERNEL_NETLINK", detail: { errno: "EMSGSIZE" } });
    expect(await two.answers).toHaveLength(1);
  });

  it("fails everything once it is closed", async () => {
    const one = request();
    socket.close();
    await expect(one.answers).rejects.toMatchObject({ code: "KERNEL_CLOSED" });
    await expect(request().answers).rejects.toMatchObject({ code: "KERNEL_CLOSED" });
    expect(agent.held).toBe(0);
  });

  it("cannot be had where the kernel has none", async () => {
    const opening = NetlinkSocket.open(agent, { protocol: 12, clock });
    agent.listener?.refused({ errno: "EPROTONOSUPPORT", reason: "no such protocol" });
    await expect(opening).rejects.toMatchObject({ code: "KERNEL_NETLINK", detail: { errno: "EPROTONOSUPPORT" } });
  });
});
