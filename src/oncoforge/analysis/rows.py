"""The tables of an analysis: one row per lesion, and one per case and organ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LesionRow:
    """One lesion, measured. Lengths in mm; x, y, z are RAS+.

    Parameters
    ----------
    case, organ
        Where it is.
    lesion
        Its number in the case and organ, from 1, largest first.
    side
        ``"left"`` or ``"right"`` of a paired organ, else empty.
    size_class
        Nearest class of the generators: tiny, small, medium or large.
    volume_mm3, voxels
        Its size.
    equivalent_diameter_mm
        Of the sphere of the same volume.
    longest_axial_diameter_mm, short_axial_diameter_mm
        Longest distance between two voxel centres in one axial slice (as RECIST 1.1 takes the
        longest diameter), and the longest at right angles to it in that slice.
    extent_x_mm, extent_y_mm, extent_z_mm
        Edges of its box.
    major_axis_mm, middle_axis_mm, minor_axis_mm
        Axes of the ellipsoid of the same second moments.
    surface_mm2, sphericity
        Surface, and that of the sphere of the same volume as a part of it (1 is a sphere).
    centroid_x_mm, centroid_y_mm, centroid_z_mm
        In the patient (world of the file).
    location_x, location_y, location_z
        Centroid in the frame of its organ (`organ_frame`): 0 to 1 from left, posterior, inferior.
        None, as the next three, where the map holds the tumour but not its organ.
    organ_distance_mm
        From its centroid to the nearest surface of the organ with its tumours; 0 outside.
    exophytic_fraction, protrusion_mm
        Part of it beyond the convex hull of the organ's own tissue (of that side), and how far it
        reaches out; None too where that tissue is too little to have a hull.
    mean_hu, std_hu, contrast_hu
        Inside, and less the mean of the organ around it; None without an image.
    touches_border
        Whether it is cut off by the edge of the scan.
    """

    case: str
    organ: str
    lesion: int
    side: str
    size_class: str
    volume_mm3: float
    voxels: int
    equivalent_diameter_mm: float
    longest_axial_diameter_mm: float
    short_axial_diameter_mm: float
    extent_x_mm: float
    extent_y_mm: float
    extent_z_mm: float
    major_axis_mm: float
    middle_axis_mm: float
    minor_axis_mm: float
    surface_mm2: float
    sphericity: float
    centroid_x_mm: float
    centroid_y_mm: float
    centroid_z_mm: float
    location_x: float | None
    location_y: float | None
    location_z: float | None
    organ_distance_mm: float | None
    exophytic_fraction: float | None
    protrusion_mm: float | None
    mean_hu: float | None = None
    std_hu: float | None = None
    contrast_hu: float | None = None
    touches_border: bool = False


@dataclass(frozen=True)
class CaseRow:
    """One organ of one case.

    Parameters
    ----------
    case, organ
        Which.
    lesions
        Number of its lesions; 0 in a healthy organ.
    organ_mm3
        Volume of the organ with its tumours.
    burden_mm3, burden_fraction
        Volume of its tumours, and as a part of that.
    largest_diameter_mm
        Largest equivalent diameter; 0 without lesions.
    spacing_x_mm, spacing_y_mm, spacing_z_mm
        Voxel size along R, A and S.
    axis_codes
        Axis order of the file.
    """

    case: str
    organ: str
    lesions: int
    organ_mm3: float
    burden_mm3: float
    burden_fraction: float
    largest_diameter_mm: float
    spacing_x_mm: float
    spacing_y_mm: float
    spacing_z_mm: float
    axis_codes: str
