/** The path of benches that forward: a - r1 - r2 - b, four namespaces, this process in r1's. Nothing of it has a name outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";

const run = async (command: string): Promise<void> => {
  const [program = "", ...args] = command.split(" ");
  await execa(program, args);
};

/** A namespace lives as long as a process in it. */
async function namespace(): Promise<ChildProcess> {
  // What comes out of a tunnel need not be routed back into it.
  const settings = "echo 1 > ip_forward; echo 0 > conf/all/rp_filter; echo 0 > conf/default/rp_filter";
  const holder = spawn("unshare", ["--net", "sh", "-c", `cd /proc/sys/net/ipv4; ${settings}; echo; exec sleep 600`]);
  await new Promise((resolve, reject) => {
    holder.stdout?.once("data", resolve);
    holder.once("error", reject);
  });
  return holder;
}

export interface Path {
  /** Runs a program in a's namespace; what it writes is thrown away. */
  sender(program: string, args: readonly string[]): ChildProcess;
  /** The command, with its arguments, that runs another in a namespace. */
  inside(host: "a" | "r2" | "b"): readonly [string, ...string[]];
  /** Packets that b has received so far. */
  received(): number;
  close(): void;
}

const MAC = { r1a: "02:00:00:00:01:0a", r2a: "02:00:00:00:02:0a", b: "02:00:00:00:00:0b" };

export async function buildPath(): Promise<Path> {
  const [a, r2, b] = [await namespace(), await namespace(), await namespace()];
  const ip = (holder: ChildProcess, line: string): Promise<void> => run(`nsenter -t ${holder.pid} -n ip ${line}`);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  for (const line of [
    `link add r1a address ${MAC.r1a} type veth peer name eth0 netns ${a.pid}`,
    `link add r1b type veth peer name r2a address ${MAC.r2a} netns ${r2.pid}`,
    "addr add 10.1.0.1/24 dev r1a",
    "addr add 10.2.0.1/24 dev r1b",
    "link set r1a up",
    "link set r1b up",
    "route add 10.3.0.0/24 via 10.2.0.2",
    `neigh add 10.2.0.2 lladdr ${MAC.r2a} dev r1b nud permanent`,
  ])
    await run(`ip ${line}`);
  for (const [holder, line] of [
    [a, "addr add 10.1.0.2/24 dev eth0"],
    [a, "link set eth0 up"],
    [a, "route add default via 10.1.0.1"],
    [a, `neigh add 10.1.0.1 lladdr ${MAC.r1a} dev eth0 nud permanent`],
    [r2, `link add r2b type veth peer name eth0 address ${MAC.b} netns ${b.pid}`],
    [r2, "addr add 10.2.0.2/24 dev r2a"],
    [r2, "addr add 10.3.0.1/24 dev r2b"],
    [r2, "link set r2a up"],
    [r2, "link set r2b up"],
    [r2, `neigh add 10.3.0.2 lladdr ${MAC.b} dev r2b nud permanent`],
    [b, "addr add 10.3.0.2/24 dev eth0"],
    [b, "link set eth0 up"],
  ] as const)
    await ip(holder, line);
  const sink = "table ip sink { chain in { type filter hook prerouting priority raw; policy drop; }; }";
  await execa("nsenter", ["-t", `${b.pid}`, "-n", "nft", sink]);
  const holders = { a, r2, b };
  return {
    sender: (program, args) => spawn("nsenter", ["-t", `${a.pid}`, "-n", program, ...args], { stdio: "ignore" }),
    inside: (host) => ["nsenter", "-t", `${holders[host].pid}`, "-n"],
    received: () => {
      const line = /eth0:\s*\d+\s+(\d+)/.exec(readFileSync(`/proc/${b.pid}/net/dev`, "latin1"));
      return Number(line?.[1] ?? 0);
    },
    close: () => {
      for (const holder of [a, r2, b]) holder.kill("SIGKILL");
    },
  };
}
