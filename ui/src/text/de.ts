import type { Messages } from '.';
import de from './de.json';

/** German; loaded only when it is chosen. A missing key does not compile. */
export default de satisfies Messages;
