"""The measurements as functions of their own, for who wants one of them without the doctor.

They are public as `trainingdoctor.lr_range_test` and so on.
"""
