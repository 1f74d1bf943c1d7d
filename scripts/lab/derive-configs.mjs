#!/usr/bin/env node
/**
 * Configurations for a lab of more than two sites, or with another rate of the core links, from those of sites a and b:
 *   derive-configs.mjs FROM TO RATE HOST…      the sites as lines of "site number network terminal user" on stdin
 *
 * What site a's file says of site a, the file of site c says of site c. What a file says of the other site alone, in an
 * item of a list or under a key that names it, it says of every other site, too. A folder FROM with files for further
 * sites (r3.yaml) is complete and taken as it is.
 * RATE, if not empty, becomes the rate of the interface `core`, and of every interface of the transit router.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isCollection, isMap, isPair, isSeq, parseDocument, visit } from "yaml";

/** What tells that a text speaks of a site; at the same place in the list for every site. */
const marksOf = ({ letter, number, network, terminal, user }) => [
  `${letter}.example`,
  ...["r", "sip", "pol", "load"].map((host) => `${host}${number}`),
  ...[`10.${network}.0.`, `fd0${network}::`, `10.2.${number}.`, `fd02:0:0:${number}::`],
  ...[terminal, user, `network ${letter.toUpperCase()}`],
];

const patternOf = (mark) =>
  new RegExp(`(?<!\\w)${mark.replaceAll(".", "\\.")}${/\w$/.test(mark) ? "(?!\\w)" : ""}`, "g");
const speaksOf = (text, site) => marksOf(site).some((mark) => patternOf(mark).test(text));

function renamed(text, from, to) {
  const marks = marksOf(to);
  return marksOf(from).reduce((done, mark, index) => done.replaceAll(patternOf(mark), marks[index]), text);
}

function copyFor(item, from, to) {
  const copy = item.clone();
  visit(copy, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === "string") scalar.value = renamed(scalar.value, from, to);
    },
  });
  return copy;
}

/** Repeats for `others` what is said of `other` and not of `own`. */
function spread(collection, own, other, others) {
  collection.items = collection.items.flatMap((item) => {
    const names = isPair(item) ? item.key : item;
    const isOfOther = speaksOf(JSON.stringify(names), other) && !speaksOf(JSON.stringify(item), own);
    if (isOfOther) return others.map((site) => copyFor(item, other, site));
    const inner = isPair(item) ? item.value : item;
    if (isCollection(inner)) spread(inner, own, other, others);
    return [item];
  });
}

function setRate(document, host, rate) {
  const interfaces = document.getIn(["kernel", "interfaces"]);
  for (const item of isSeq(interfaces) ? interfaces.items : []) {
    if (isMap(item) && (host === "t" || item.get("name") === "core")) item.set("rate", rate);
  }
}

/** As a document, so that comments and the order of keys stay. */
function derive(host, from, sites) {
  const read = (name) => readFileSync(join(from, `${name}.yaml`), "utf8");
  if (existsSync(join(from, "r3.yaml"))) return parseDocument(read(host));
  const [a, b] = sites;
  const own = sites.find(({ number }) => host.endsWith(number)) ?? a;
  const isOfAOrB = own === a || own === b;
  const document = parseDocument(isOfAOrB ? read(host) : renamed(read(host.replace(own.number, a.number)), a, own));
  const others = sites.filter((site) => site !== own);
  if (isCollection(document.contents)) spread(document.contents, own, own === b ? a : b, others);
  return document;
}

const [from, to, rate, ...hosts] = process.argv.slice(2);
const sites = readFileSync(0, "utf8")
  .trim()
  .split("\n")
  .map((line) => {
    const [letter, number, network, terminal, user] = line.split(" ");
    return { letter, number, network, terminal, user };
  });

try {
  mkdirSync(to, { recursive: true });
  for (const host of hosts) {
    const document = derive(host, from, sites);
    if (rate !== "") setRate(document, host, rate);
    writeFileSync(join(to, `${host}.yaml`), document.toString({ lineWidth: 0 }));
  }
} catch (error) {
  if (error.code !== "ENOENT") throw error;
  process.stderr.write(`derive-configs.mjs: ${error.path} is missing; --configs DIR names the folder\n`);
  process.exitCode = 2;
}
