/**
 * Process ids of the tools that Sluice runs and ran just now. A notification of rtnetlink carries the netlink port of who
 * caused it, and a tool's port is its process id: so our own changes are told from those of others.
 */
const REMEMBERED = 256;
const owned: number[] = [];

/** Call it when a tool was started. Ids are soon forgotten, long before the system gives them out again. */
export function rememberTool(pid: number | undefined): void {
  if (pid === undefined) return;
  owned.push(pid);
  if (owned.length > REMEMBERED) owned.shift();
}

export const isOwnTool = (port: number): boolean => port !== 0 && owned.includes(port);
