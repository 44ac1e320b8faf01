import { word } from '../text';

/** A series by its name. The demonstration's hospitals have codes; the names are those of its file's column facility_name. */
export const seriesName = (key: string, demo: boolean | undefined): string => (demo ? word('hospital', key) : key);
