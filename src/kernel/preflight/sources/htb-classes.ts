/** HTB's classes as `tc -d class show` prints them; tc has no JSON for them. Pure. */

export interface HtbClass {
  /** Such as `1:10`. */
  readonly id: string;
  /** Octets that it may send in its turn. */
  readonly quantum: number;
}

/** Those without children: only they have turns, and only for them tc prints a quantum. Undefined for text that is no such listing. */
export function parseHtbClasses(text: string): readonly HtbClass[] | undefined {
  const classes: HtbClass[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || !line.startsWith("class htb ")) {
      if (line !== "" && !line.startsWith("class ")) return undefined;
      continue;
    }
    const match = /^class htb ([0-9a-f]*:[0-9a-f]+) (?:root|parent \S+)(?: leaf \S+)? prio \d+ quantum (\d+) /.exec(
      line,
    );
    if (match !== null) classes.push({ id: match[1] ?? "", quantum: Number(match[2]) });
  }
  return classes;
}
