// One JSON line per case: what the SDK gave its caller, or the exception it raised.

export const URL = process.env.LINGATE_URL;
export const MODEL = process.env.LINGATE_MODEL;
export const KEY = "the-clients-own-key";
const cases = [];

/** Registers a case; its result is an object of values. */
export function add(name, run) {
  cases.push([name, run]);
}

/** What a caller can tell from an exception. */
export function failing(error) {
  const told = { raised: error.constructor.name };
  if (error.status !== undefined) told.status_code = error.status;
  if (error.statusCode !== undefined) told.status_code = error.statusCode;
  for (const key of ["type", "code"]) if (error[key] != null) told[key] = error[key];
  return { ...told, message: error.message };
}

/** Runs every case, also after one that failed. */
export async function main() {
  for (const [name, run] of cases) {
    const result = await Promise.resolve().then(run).catch(failing);
    console.log(JSON.stringify({ case: name, ...result }));
  }
}
