import type { Messages, Refusals } from '.';
import de from './de.json';
import errors from './errors.de.json';

/** German; loaded only when it is chosen. A missing key does not compile. */
export default de satisfies Messages as Messages;

export const refusals = errors as unknown as Refusals;
