/** ADSPEC, RFC 2210 §3.3: what the path offers, by service. */
import type { BytesPerSecond, Octets } from "../../model/units.js";
import {
  cutParameters,
  cutServices,
  IntServFault,
  joinParameters,
  joinServices,
  type Parameter,
  SERVICE,
  type ServiceFragment,
  WORD,
} from "./intserv.js";
import type {
  Adspec,
  AdspecFragment,
  AdspecGeneral,
  AdspecGeneralParameters,
  AdspecGuaranteed,
  AdspecService,
  GuaranteedTerms,
} from "./objects.js";

/** The latency where a node does not know its own (RFC 2215, parameter 8). */
export const LATENCY_INDETERMINATE = 0xffffffff;

/** Parameter flag: a node did not update the value (RFC 2215 §2). */
const INVALID = 0x80;

/** Parameters by number, in the order in which they are sent. */
const GENERAL = { hops: 4, pathBandwidth: 6, minLatencyMicros: 8, pathMtu: 10 } as const;
const TERMS = { cTot: 133, dTotMicros: 134, cSum: 135, dSumMicros: 136 } as const;

type Ids = Readonly<Record<string, number>>;
type Values<Table extends Ids> = { readonly [Key in keyof Table]?: number };

interface SplitFragment<Table extends Ids> {
  readonly values: Values<Table>;
  readonly fragment: AdspecFragment;
}

/** @throws IntServFault */
export function readAdspec(contents: Buffer): Adspec {
  const [first, ...rest] = cutServices(contents);
  if (first?.service !== SERVICE.general) throw new IntServFault("an ADSPEC begins with the general parameters");
  checkOrder([first, ...rest]);
  const guaranteed = rest.find(({ service }) => service === SERVICE.guaranteed);
  const controlledLoad = rest.find(({ service }) => service === SERVICE.controlledLoad);
  return {
    general: readGeneral(first),
    ...(guaranteed === undefined ? {} : { guaranteed: readGuaranteed(guaranteed) }),
    ...(controlledLoad === undefined ? {} : { controlledLoad: readService(controlledLoad) }),
    others: rest.filter((fragment) => fragment !== guaranteed && fragment !== controlledLoad),
  };
}

/** RFC 2210 §3.3: fragments are in the order of service numbers. That also rules out two of one service. */
function checkOrder(fragments: readonly ServiceFragment[]): void {
  let last = 0;
  for (const { service } of fragments) {
    if (service <= last) throw new IntServFault(`service ${service} after service ${last}`);
    last = service;
  }
}

function readGeneral(raw: ServiceFragment): AdspecGeneral {
  const { values, fragment } = split(raw, GENERAL);
  return { ...fragment, ...complete(values, GENERAL, "general parameters") };
}

function readGuaranteed(raw: ServiceFragment): AdspecGuaranteed {
  const { values, fragment } = split(raw, { ...TERMS, ...GENERAL });
  const terms = pick(values, TERMS);
  const service = { ...fragment, overrides: pick(values, GENERAL) as Partial<AdspecGeneralParameters> };
  if (Object.keys(terms).length === 0) return service;
  return { ...service, terms: complete(terms, TERMS, "guaranteed service terms") as GuaranteedTerms };
}

function readService(raw: ServiceFragment): AdspecService {
  const { values, fragment } = split(raw, GENERAL);
  return { ...fragment, overrides: values as Partial<AdspecGeneralParameters> };
}

/** Tells the parameters of the table from the others. */
function split<Table extends Ids>(raw: ServiceFragment, table: Table): SplitFragment<Table> {
  const names = new Map(Object.entries(table).map(([name, id]) => [id, name]));
  const values: Record<string, number> = {};
  const invalid: number[] = [];
  const others: Parameter[] = [];
  for (const parameter of cutParameters(raw.data)) {
    const name = names.get(parameter.id);
    if (name === undefined) others.push(parameter);
    else {
      if (name in values) throw new IntServFault(`ADSPEC parameter ${parameter.id} twice`);
      values[name] = readValue(parameter);
      if ((parameter.flags & INVALID) !== 0) invalid.push(parameter.id);
    }
  }
  invalid.sort((left, right) => left - right);
  return { values: values as Values<Table>, fragment: { broken: raw.broken, invalid, others } };
}

function readValue({ id, data }: Parameter): number {
  if (data.length !== WORD) throw new IntServFault(`ADSPEC parameter ${id} has not one word`);
  if (id !== GENERAL.pathBandwidth) return data.readUInt32BE(0);
  const bandwidth = data.readFloatBE(0);
  if (!(bandwidth >= 0) || Object.is(bandwidth, -0)) throw new IntServFault(`path bandwidth ${bandwidth}`);
  return bandwidth;
}

function pick<Table extends Ids>(values: Readonly<Record<string, number | undefined>>, table: Table): Values<Table> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in table)) as Values<Table>;
}

function complete<Table extends Ids>(values: Values<Table>, table: Table, what: string) {
  const missing = Object.keys(table).filter((name) => !(name in values));
  if (missing.length > 0) throw new IntServFault(`${what} without ${missing.join(", ")}`);
  return values as unknown as Table extends typeof GENERAL
    ? { hops: number; pathBandwidth: BytesPerSecond; minLatencyMicros: number; pathMtu: Octets }
    : GuaranteedTerms;
}

export function writeAdspec(adspec: Adspec): Buffer {
  const { general, guaranteed, controlledLoad, others } = adspec;
  const fragments = [
    fragmentOf(SERVICE.general, general, [{ table: GENERAL, values: general }]),
    ...(guaranteed === undefined ? [] : [guaranteedFragment(guaranteed)]),
    ...(controlledLoad === undefined
      ? []
      : [fragmentOf(SERVICE.controlledLoad, controlledLoad, [{ table: GENERAL, values: controlledLoad.overrides }])]),
    ...others,
  ];
  return joinServices(fragments.sort((left, right) => left.service - right.service));
}

/** RFC 2210 §3.3: what belongs to the service comes first, then the overrides. */
function guaranteedFragment(guaranteed: AdspecGuaranteed): ServiceFragment {
  return fragmentOf(SERVICE.guaranteed, guaranteed, [
    { table: TERMS, values: guaranteed.terms ?? {} },
    { table: GENERAL, values: guaranteed.overrides },
  ]);
}

interface Group {
  readonly table: Ids;
  readonly values: object;
}

function fragmentOf(service: number, fragment: AdspecFragment, groups: readonly Group[]): ServiceFragment {
  const known = groups.flatMap(({ table, values }) => parametersOf(table, values, fragment.invalid));
  return { service, broken: fragment.broken, data: joinParameters([...known, ...fragment.others]) };
}

function parametersOf(table: Ids, values: object, invalid: readonly number[]): Parameter[] {
  const byName = new Map<string, number>(Object.entries(values));
  return Object.entries(table).flatMap(([name, id]) => {
    const value = byName.get(name);
    if (value === undefined) return [];
    const data = Buffer.alloc(WORD);
    if (id === GENERAL.pathBandwidth) data.writeFloatBE(value);
    else data.writeUInt32BE(value);
    return [{ id, flags: invalid.includes(id) ? INVALID : 0, data }];
  });
}
